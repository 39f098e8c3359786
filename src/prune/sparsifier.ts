import type { Constant, Model, Value } from "../graph/index.js";
import { applyMask, checkSameShape, type Mask, type Matrix } from "../sparsity/index.js";
import { locate, NonzeroError } from "../tensor/index.js";
import { maskWeight, mendWeight, weightMatrix } from "./mask-weight.js";
import { constantNodesToConstants, replaceConstants } from "./replace.js";
import { type Weight, weightsOf } from "./weights.js";

/** One weight's own arguments, by its name in the model; what is left out is the sparsifier's default. */
export type SparsifierConfig<Options> = Partial<Options> & { readonly tensorFqn: string };

/** A weight in a sparsifier's care. */
export interface SparsifierGroup<Options> {
  readonly weight: Weight;
  /** Its arguments; schedulers write them. */
  options: Options;
  /** The weight before any mask, [outputs, inputs]. */
  readonly original: Matrix;
  /** All ones until the first step. */
  mask: Mask;
  /** What became of the kept weights, where the sparsifier mends them; null where they stay as they are. */
  mended: Matrix | null;
}

/** What a step does to one weight: its mask, and new values for what is kept, if any. */
export interface MaskUpdate {
  readonly mask: Mask;
  readonly mended: Matrix | null;
}

/** All that a sparsifier knows of the weights in its care, by name: plain data if the options are. */
export interface SparsifierState<Options> {
  readonly groups: readonly ({ readonly tensorFqn: string; readonly options: Options } & MaskUpdate)[];
}

/**
 * What all sparsifiers share, with torch.ao.pruning's BaseSparsifier's semantics on a model instead of modules: prepare, step as often as you
 * like, squashMask. A sparsifier says in `updateMask` what a step does to one weight.
 */
export abstract class BaseSparsifier<Options extends object> {
  /** step() does nothing while this is false. */
  enableMaskUpdate = true;
  /** The weights in care, in the order in which they came. */
  readonly groups: SparsifierGroup<Options>[] = [];
  readonly defaults: Options;
  #given: Model | null = null;
  #model: Model | null = null;

  constructor(defaults: Options) {
    this.defaults = defaults;
  }

  /**
   * Takes weights of a model into care: those of `config`, by default every linear one that is not tied. May be called again for more of the
   * same model.
   * @throws NonzeroError "not-found" for a name that is no weight, "invalid-argument" for arguments that make no sense, for a weight that is in
   * care already, and for another model before squashMask().
   */
  prepare(model: Model, config?: readonly SparsifierConfig<Options>[]): void {
    if (this.#given !== null && this.#given !== model)
      throw new NonzeroError("invalid-argument", "another model is in care: squashMask() lets go of it");
    const prepared = this.#model ?? constantNodesToConstants(model);
    const weights = weightsOf(prepared);
    const linear = weights.filter(({ kind, tied }) => kind === "linear" && !tied);
    const entries = config ?? linear.map(({ name }) => ({ tensorFqn: name }) as SparsifierConfig<Options>);
    const added = entries.map(({ tensorFqn, ...own }) => {
      const weight = weights.find(({ name }) => name === tensorFqn);
      if (weight === undefined)
        throw new NonzeroError("not-found", `the model has no weight '${tensorFqn}'`, { field: "tensorFqn" });
      if (this.groups.some((group) => group.weight.value === weight.value))
        throw new NonzeroError("invalid-argument", `'${tensorFqn}' is in care already`, { field: "tensorFqn" });
      const options: Options = { ...this.defaults, ...(own as unknown as Partial<Options>) };
      this.check(options);
      const original = weightMatrix(weight);
      const { rows, cols } = original;
      const mask = { rows, cols, data: new Uint8Array(rows * cols).fill(1) };
      return { weight, options, original, mask, mended: null };
    });
    this.groups.push(...added);
    this.#given = model;
    this.#model = prepared;
  }

  /** The masks as they stand, by weight name. */
  get masks(): ReadonlyMap<string, Mask> {
    return new Map(this.groups.map(({ weight, mask }) => [weight.name, mask]));
  }

  /** Chooses the masks anew. @throws what `updateMask` throws, naming the weight; the masks then stay as they were. */
  step(): void {
    if (!this.enableMaskUpdate) return;
    const updates = this.groups.map((group) => this.#update(group));
    this.groups.forEach((group, i) => Object.assign(group, updates[i]));
  }

  /**
   * As `step`, for one weight: for methods that go from layer to layer and calibrate each on what the layers before it have become (`masked`).
   * @throws NonzeroError "not-found" for a weight that is not in care, and what `updateMask` throws.
   */
  stepWeight(tensorFqn: string): void {
    const group = this.groups.find(({ weight }) => weight.name === tensorFqn);
    if (group === undefined)
      throw new NonzeroError("not-found", `'${tensorFqn}' is not in care`, { field: "tensorFqn" });
    if (this.enableMaskUpdate) Object.assign(group, this.#update(group));
  }

  /** The model with masks and mended weights as they stand. @throws NonzeroError "invalid-argument" before prepare. */
  masked(): Model {
    if (this.#model === null) throw new NonzeroError("invalid-argument", "prepare(model) comes before squashMask()");
    const replaced = new Map<Value, Constant>(
      this.groups.map(({ weight, mask, mended }) => [
        weight.value,
        mended === null ? maskWeight(weight, mask) : mendWeight(weight, mended),
      ]),
    );
    return replaceConstants(this.#model, replaced);
  }

  /** What `masked` gives; the sparsifier lets go of the model. @throws NonzeroError "invalid-argument" before prepare. */
  squashMask(): Model {
    const model = this.masked();
    this.#given = null;
    this.#model = null;
    this.groups.length = 0;
    return model;
  }

  /** Masks, mended weights and arguments, to be given to `loadStateDict`; copies. */
  stateDict(): SparsifierState<Options> {
    return {
      groups: this.groups.map(({ weight, options, mask, mended }) => ({
        tensorFqn: weight.name,
        options: { ...options },
        mask: { ...mask, data: mask.data.slice() },
        mended: mended && { ...mended, data: mended.data.slice() },
      })),
    };
  }

  /**
   * Takes up where another sparsifier left off, on the same model; weights that are not in care yet are prepared. Unlike upstream's, the state can
   * be loaded again.
   * @throws NonzeroError as `prepare` does, "shape" for masks that do not fit; nothing is changed then.
   */
  loadStateDict(model: Model, { groups }: SparsifierState<Options>): void {
    const weights = new Map(weightsOf(constantNodesToConstants(model)).map((weight) => [weight.name, weight]));
    for (const { tensorFqn, mask, mended } of groups) {
      const { rows, cols } = weights.get(tensorFqn) ?? { rows: mask.rows, cols: mask.cols };
      const shape = { rows, cols, data: mended?.data ?? new Float32Array(rows * cols) };
      locate({ field: tensorFqn }, () => checkSameShape(shape, mask));
    }
    const inCare = new Set(this.groups.map(({ weight }) => weight.name));
    const missing = groups.filter(({ tensorFqn }) => !inCare.has(tensorFqn));
    this.prepare(
      model,
      missing.map(({ tensorFqn, options }) => ({ ...options, tensorFqn })),
    );
    for (const { tensorFqn, options, mask, mended } of groups) {
      const group = this.groups.find(({ weight }) => weight.name === tensorFqn)!;
      Object.assign(group, {
        options: { ...options },
        mask: { ...mask, data: mask.data.slice() },
        mended: mended && { ...mended, data: mended.data.slice() },
      });
    }
  }

  #update(group: SparsifierGroup<Options>): MaskUpdate {
    const update = locate({ field: group.weight.name }, () =>
      this.updateMask(group, applyMask(group.original, group.mask)),
    );
    return "mask" in update ? update : { mask: update, mended: null };
  }

  /** Throws where arguments make no sense for any weight. */
  protected check(_options: Options): void {}

  /** The mask that one step gives a weight, alone or with mended weights; `masked` is the weight under its mask so far, so that what is zero scores as zero. */
  protected abstract updateMask(group: Readonly<SparsifierGroup<Options>>, masked: Matrix): Mask | MaskUpdate;
}
