import type { Constant, Model, Value } from "../graph/index.js";
import { applyMask, type Mask, type Matrix } from "../sparsity/index.js";
import { locate, NonzeroError } from "../tensor/index.js";
import { maskWeight, weightMatrix } from "./mask-weight.js";
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
      return { weight, options, original, mask: { rows, cols, data: new Uint8Array(rows * cols).fill(1) } };
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
    const masks = this.groups.map((group) =>
      locate({ field: group.weight.name }, () => this.updateMask(group, applyMask(group.original, group.mask))),
    );
    this.groups.forEach((group, i) => {
      group.mask = masks[i]!;
    });
  }

  /** The model with the masks multiplied into its weights; the sparsifier lets go of it. @throws NonzeroError "invalid-argument" before prepare. */
  squashMask(): Model {
    if (this.#model === null) throw new NonzeroError("invalid-argument", "prepare(model) comes before squashMask()");
    const replaced = new Map<Value, Constant>(
      this.groups.map(({ weight, mask }) => [weight.value, maskWeight(weight, mask)]),
    );
    const model = replaceConstants(this.#model, replaced);
    this.#given = null;
    this.#model = null;
    this.groups.length = 0;
    return model;
  }

  /** Throws where arguments make no sense for any weight. */
  protected check(_options: Options): void {}

  /** The mask that one step gives a weight; `masked` is the weight under its mask so far, so that what is zero scores as zero. */
  protected abstract updateMask(group: Readonly<SparsifierGroup<Options>>, masked: Matrix): Mask;
}
