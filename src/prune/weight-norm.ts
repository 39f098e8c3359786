import type { Constant, Model, Value } from "../graph/index.js";
import { fromMatrix, toMatrix } from "../layouts/index.js";
import { applyMask, type Mask, type Matrix } from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { replaceConstants } from "./replace.js";
import { type Weight, weightsOf } from "./weights.js";

/** How big a weight is: its square (2, the default), its absolute value (1), or any function of it. */
export type Norm = 1 | 2 | ((weight: number) => number);

export interface WeightNormOptions {
  /** Share of blocks that lose weights; default 0.5. */
  readonly sparsityLevel?: number;
  /** Rows × columns of a block; default [1, 4]. */
  readonly sparseBlockShape?: readonly [number, number];
  /** Zeros in each chosen block; default: all of it. */
  readonly zerosPerBlock?: number;
  readonly norm?: Norm;
  /**
   * Score the weights as they were before any step, so that what was zeroed may come back. Default false: as upstream, a zeroed
   * weight scores 0 and stays.
   */
  readonly regrow?: boolean;
}

/** One weight's own arguments, by its name in the model. */
export interface WeightNormGroup extends WeightNormOptions {
  readonly tensorFqn: string;
}

interface Group {
  readonly weight: Weight;
  readonly options: WeightNormOptions;
  readonly original: Matrix;
  mask: Mask;
}

/**
 * torch.ao.pruning's WeightNormSparsifier: blocks with the smallest mean norm lose their smallest weights. prepare, step as often as you like,
 * squashMask. 2:4 is `sparsityLevel: 1, sparseBlockShape: [1, 4], zerosPerBlock: 2`; the achieved sparsity is
 * clamp(level, 0, 1) · zerosPerBlock / values of a block.
 *
 * Ties: among equal blocks, and equal weights of a block, the later in row-major order is zeroed first (patterns keep the earlier too). Blocks that reach beyond
 * the matrix count only what lies inside.
 */
export class WeightNormSparsifier {
  /** step() does nothing while this is false. */
  enableMaskUpdate = true;
  readonly #defaults: WeightNormOptions;
  readonly #groups: Group[] = [];
  #model: Model | null = null;

  constructor(options: WeightNormOptions = {}) {
    this.#defaults = options;
  }

  /**
   * Takes a model's weights into care; by default every linear weight. Masks are all ones until the first step.
   * @throws NonzeroError "not-found" for a name that is no weight, "invalid-argument" for arguments that make no sense.
   */
  prepare(model: Model, config?: readonly WeightNormGroup[]): void {
    const weights = weightsOf(model);
    const entries =
      config ?? weights.filter(({ kind, tied }) => kind === "linear" && !tied).map(({ name }) => ({ tensorFqn: name }));
    for (const { tensorFqn, ...own } of entries) {
      const weight = weights.find(({ name }) => name === tensorFqn);
      if (weight === undefined)
        throw new NonzeroError("not-found", `the model has no weight '${tensorFqn}'`, { field: "tensorFqn" });
      const dense = weight.constant instanceof Tensor ? weight.constant : weight.constant.toDense();
      const original = toMatrix(dense, weight.perm);
      const { rows, cols } = original;
      const options = { ...this.#defaults, ...own };
      checkOptions(options);
      this.#groups.push({ weight, options, original, mask: { rows, cols, data: new Uint8Array(rows * cols).fill(1) } });
    }
    this.#model = model;
  }

  /** The masks as they stand, by weight name. */
  get masks(): ReadonlyMap<string, Mask> {
    return new Map(this.#groups.map(({ weight, mask }) => [weight.name, mask]));
  }

  /** Chooses the masks anew. */
  step(): void {
    if (!this.enableMaskUpdate) return;
    for (const group of this.#groups) {
      const seen = group.options.regrow ? group.original : applyMask(group.original, group.mask);
      group.mask = weightNormMask(seen, group.options);
    }
  }

  /** The model with the masks multiplied into its weights; the sparsifier lets go of it. */
  squashMask(): Model {
    if (this.#model === null) throw new NonzeroError("invalid-argument", "prepare(model) comes before squashMask()");
    const replaced = new Map<Value, Constant>();
    for (const { weight, original, mask } of this.#groups) {
      const { shape, dtype } = weight.constant;
      replaced.set(weight.value, fromMatrix(applyMask(original, mask), shape, weight.perm, dtype));
    }
    const model = replaceConstants(this.#model, replaced);
    this.#model = null;
    this.#groups.length = 0;
    return model;
  }
}

function checkOptions({
  sparseBlockShape: [height, width] = [1, 4],
  zerosPerBlock = height * width,
}: WeightNormOptions): void {
  if (zerosPerBlock > height * width) {
    throw new NonzeroError(
      "invalid-argument",
      "Number of zeros per block cannot be more than the total number of elements in that block.",
      { field: "zerosPerBlock" },
    );
  }
  if (zerosPerBlock < 0)
    throw new NonzeroError("invalid-argument", "Number of zeros per block should be positive.", {
      field: "zerosPerBlock",
    });
}

/** The mask that one step makes of a matrix as it stands. */
export function weightNormMask(matrix: Matrix, options: WeightNormOptions = {}): Mask {
  const { sparsityLevel = 0.5, sparseBlockShape: [height, width] = [1, 4], norm = 2 } = options;
  const values = height * width;
  const zeros = options.zerosPerBlock ?? values;
  const { rows, cols } = matrix;
  const keep = (bit: 0 | 1): Mask => ({ rows, cols, data: new Uint8Array(rows * cols).fill(bit) });
  checkOptions(options);
  if (sparsityLevel <= 0 || zeros === 0) return keep(1);
  if (sparsityLevel >= 1 && zeros === values) return keep(0);
  const measure = typeof norm === "function" ? norm : norm === 1 ? Math.abs : (x: number) => x * x;
  const scores = Float64Array.from(matrix.data, measure);
  const blocks = blocksOf(rows, cols, height, width);
  const means = blocks.map((block) => block.reduce((sum, at) => sum + scores[at]!, 0) / block.length);
  const order = blocks.map((_, i) => i).sort((a, b) => means[a]! - means[b]! || b - a);
  const chosen = Math.min(
    Math.max(roundHalfEven(sparsityLevel * blocks.length), 0),
    sparsityLevel >= 1 ? blocks.length : blocks.length - 1,
  );
  const mask = keep(1);
  for (const i of order.slice(0, chosen)) {
    const block = [...blocks[i]!].sort((a, b) => scores[a]! - scores[b]! || b - a);
    for (const at of block.slice(0, zeros)) mask.data[at] = 0;
  }
  return mask;
}

/** Offsets of each block's entries, block by block in row-major order. */
function blocksOf(rows: number, cols: number, height: number, width: number): number[][] {
  const blocks: number[][] = [];
  for (let top = 0; top < rows; top += height) {
    for (let left = 0; left < cols; left += width) {
      const block: number[] = [];
      for (let r = top; r < Math.min(rows, top + height); r++)
        for (let c = left; c < Math.min(cols, left + width); c++) block.push(r * cols + c);
      blocks.push(block);
    }
  }
  return blocks;
}

/** Python's round. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor > 0.5 || (x - floor === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
