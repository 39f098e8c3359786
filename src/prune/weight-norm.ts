import type { Mask, Matrix } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";
import { BaseSparsifier, type SparsifierGroup } from "./sparsifier.js";

/** How big a weight is: its square (2, the default), its absolute value (1), or any function of it. */
export type Norm = 1 | 2 | ((weight: number) => number);

export interface WeightNormOptions {
  /** Share of blocks that lose weights; default 0.5. */
  readonly sparsityLevel: number;
  /** Rows × columns of a block; default [1, 4]. */
  readonly sparseBlockShape: readonly [number, number];
  /** Zeros in each chosen block; default: all of it. */
  readonly zerosPerBlock?: number;
  readonly norm: Norm;
  /**
   * Score the weights as they were before any step, so that what was zeroed may come back. Default false: as upstream, a zeroed
   * weight scores 0 and stays.
   */
  readonly regrow: boolean;
}

const DEFAULTS: WeightNormOptions = { sparsityLevel: 0.5, sparseBlockShape: [1, 4], norm: 2, regrow: false };

/**
 * torch.ao.pruning's WeightNormSparsifier: blocks with the smallest mean norm lose their smallest weights. 2:4 is
 * `sparsityLevel: 1, sparseBlockShape: [1, 4], zerosPerBlock: 2`; the achieved sparsity is
 * clamp(level, 0, 1) · zerosPerBlock / values of a block.
 *
 * Ties: among equal blocks, and equal weights of a block, the later in row-major order is zeroed first (patterns keep the earlier too). Blocks that reach beyond
 * the matrix count only what lies inside.
 */
export class WeightNormSparsifier extends BaseSparsifier<WeightNormOptions> {
  constructor(options: Partial<WeightNormOptions> = {}) {
    super({ ...DEFAULTS, ...options });
  }

  protected override check(options: WeightNormOptions): void {
    checkOptions(options);
  }

  protected override updateMask({ original, options }: SparsifierGroup<WeightNormOptions>, masked: Matrix): Mask {
    return weightNormMask(options.regrow ? original : masked, options);
  }
}

function checkOptions({ sparseBlockShape: [height, width], zerosPerBlock = height * width }: WeightNormOptions): void {
  const invalid = (field: string, reason: string): NonzeroError =>
    new NonzeroError("invalid-argument", reason, { field });
  if (![height, width].every((size) => Number.isSafeInteger(size) && size >= 1))
    throw invalid("sparseBlockShape", `a block of ${height}×${width} has no weights`);
  if (zerosPerBlock > height * width) {
    throw invalid(
      "zerosPerBlock",
      "Number of zeros per block cannot be more than the total number of elements in that block.",
    );
  }
  if (!(zerosPerBlock >= 0)) throw invalid("zerosPerBlock", "Number of zeros per block should be positive.");
}

/** The mask that one step makes of a matrix as it stands. */
export function weightNormMask(matrix: Matrix, given: Partial<WeightNormOptions> = {}): Mask {
  const options = { ...DEFAULTS, ...given };
  checkOptions(options);
  const { sparsityLevel, sparseBlockShape, norm } = options;
  const [height, width] = sparseBlockShape;
  const values = height * width;
  const zeros = options.zerosPerBlock ?? values;
  const { rows, cols } = matrix;
  const all = (bit: 0 | 1): Mask => ({ rows, cols, data: new Uint8Array(rows * cols).fill(bit) });
  if (sparsityLevel <= 0 || zeros === 0) return all(1);
  if (sparsityLevel >= 1 && zeros === values) return all(0);
  const measure = typeof norm === "function" ? norm : norm === 1 ? Math.abs : (x: number) => x * x;
  const scores = Float64Array.from(matrix.data, measure);
  const blocks = blocksOf(rows, cols, height, width);
  const means = blocks.map((block) => block.reduce((sum, at) => sum + scores[at]!, 0) / block.length);
  const order = blocks.map((_, i) => i).sort((a, b) => means[a]! - means[b]! || b - a);
  const chosen = Math.min(
    Math.max(roundHalfEven(sparsityLevel * blocks.length), 0),
    sparsityLevel >= 1 ? blocks.length : blocks.length - 1,
  );
  const mask = all(1);
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
