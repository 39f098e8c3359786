import type { Mask, Matrix, Pattern } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";
import { multiplyAdd } from "./linalg/multiply.js";
import { view } from "./linalg/view.js";
import { checkStatistics, type InputStatistics } from "./statistics/index.js";

/** What a method must know of a layer's inputs: nothing, means and norms by channel, or their Gram matrix as well. */
export type Needs = "nothing" | "norms" | "gram";

/**
 * A method of post-training pruning, for one weight at a time. It is a pure function of typed arrays and plain options: weights may be
 * split among threads, and so may the rows of one (for patterns that compare within rows, or within bands of rows).
 */
export interface LayerPruner<Options extends object = object> {
  /** `magnitude`, `wanda`, `ria`, `sparsegpt`, … */
  readonly name: string;
  readonly needs: Needs;
  readonly defaults: Options;
  /**
   * Chooses a mask for a weight [outputs, inputs] and mends what is kept.
   * @throws NonzeroError "shape" for statistics of other channels, "invalid-argument" for missing ones, NaN or infinities in weight or
   * statistics and options that make no sense, "unsupported" for a pattern that the method is not defined for.
   */
  prune(weight: Matrix, statistics: InputStatistics | null, pattern: Pattern, options?: Partial<Options>): PrunedLayer;
}

export interface PrunedLayer {
  /** The pruned weight: +0 wherever the mask has 0. */
  readonly weight: Matrix;
  readonly mask: Mask;
  /** ‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖² over the calibration inputs; null where their Gram matrix is not known. */
  readonly error: number | null;
  /** In plain words, what the method had to do that was not asked for: more damping, dead inputs. */
  readonly notes: readonly string[];
}

/** @throws as `prune` does. */
export function checkLayer({ rows, cols, data }: Matrix, statistics: InputStatistics | null, needs: Needs): void {
  if (data.length !== rows * cols)
    throw new NonzeroError("shape", `a ${rows}×${cols} weight has ${rows * cols} entries, not ${data.length}`);
  const at = data.findIndex((x) => !Number.isFinite(x));
  if (at >= 0) {
    const place = `row ${Math.floor(at / cols)}, column ${at % cols}`;
    throw new NonzeroError("invalid-argument", `the weight at ${place} is ${data[at]}`);
  }
  if (statistics !== null) checkStatistics(statistics, cols, needs === "gram" ? "gram" : "norms");
  else if (needs !== "nothing")
    throw new NonzeroError("invalid-argument", "this method needs statistics of the layer's inputs", {
      field: "statistics",
    });
}

/** @throws NonzeroError "invalid-argument" unless every one of the options is at least `least`. */
export function checkAtLeast(least: number, options: Readonly<Record<string, number>>): void {
  for (const [field, value] of Object.entries(options)) {
    if (!(value >= least && value < Number.POSITIVE_INFINITY))
      throw new NonzeroError("invalid-argument", `${value} is not a number from ${least}`, { field });
  }
}

/** A method's result from the weight it arrived at, [outputs, inputs] in any precision; masked and rounded to float32 here. */
export function prunedLayer(
  original: Matrix,
  values: ArrayLike<number>,
  mask: Mask,
  statistics: InputStatistics | null,
  notes: readonly string[] = [],
): PrunedLayer {
  const { rows, cols } = original;
  const data = new Float32Array(rows * cols);
  for (let i = 0; i < data.length; i++) if (mask.data[i] !== 0) data[i] = values[i]!;
  const weight = { rows, cols, data };
  return { weight, mask, error: statistics?.gram ? relativeError(original, weight, statistics) : null, notes };
}

/** ‖X(W − Ŵ)ᵀ‖² / ‖XWᵀ‖²; 0 where the outputs are all 0 and stay so, 1 where they were. @throws NonzeroError "invalid-argument" without a Gram matrix. */
export function relativeError(original: Matrix, pruned: Matrix, statistics: InputStatistics): number {
  const before = new Float64Array(original.data);
  const delta = new Float64Array(before.length);
  for (let i = 0; i < delta.length; i++) delta[i] = before[i]! - pruned.data[i]!;
  const lost = outputEnergy(delta, original, statistics);
  if (lost <= 0) return 0;
  const energy = outputEnergy(before, original, statistics);
  return energy > 0 ? lost / energy : 1;
}

/** Rows whose products are in memory at a time. */
const ROWS = 256;

/** ‖X·Vᵀ‖² for V [rows, cols]: the sum over its rows of v·XᵀX·vᵀ. */
function outputEnergy(values: Float64Array, { rows, cols }: Matrix, { gram }: InputStatistics): number {
  if (gram === null) throw new NonzeroError("invalid-argument", "errors of outputs need the Gram matrix of the inputs");
  let energy = 0;
  for (let top = 0; top < rows; top += ROWS) {
    const part = values.subarray(top * cols, Math.min(top + ROWS, rows) * cols);
    const count = part.length / Math.max(1, cols);
    const product = new Float64Array(part.length);
    multiplyAdd(view(product, count, cols), view(part, count, cols), view(gram, cols, cols));
    for (let i = 0; i < part.length; i++) energy += part[i]! * product[i]!;
  }
  return energy;
}

/** A score for each weight, [outputs · inputs]. */
export function scoresOf(
  { rows, cols, data }: Matrix,
  score: (w: number, col: number, row: number) => number,
): Float64Array {
  const scores = new Float64Array(data.length);
  for (let row = 0, at = 0; row < rows; row++)
    for (let col = 0; col < cols; col++, at++) scores[at] = score(data[at]!, col, row);
  return scores;
}

/** Scores for `Pattern.select`: scaled by a power of two to at most 1, lest squares of small weights vanish in float32. */
export function scoreMatrix({ rows, cols }: { rows: number; cols: number }, scores: Float64Array): Matrix {
  let largest = 0;
  for (let i = 0; i < scores.length; i++) largest = Math.max(largest, Math.abs(scores[i]!));
  const scale = largest > 0 ? 2 ** Math.min(1023, -Math.ceil(Math.log2(largest))) : 1;
  const data = new Float32Array(scores.length);
  for (let i = 0; i < data.length; i++) data[i] = scores[i]! * scale;
  return { rows, cols, data };
}

/** The mask that keeps the values [rows, cols] whose squares are the largest, as the pattern has it. */
export function selectLargest(pattern: Pattern, shape: { rows: number; cols: number }, values: Float64Array): Mask {
  const squares = new Float64Array(values.length);
  for (let i = 0; i < squares.length; i++) squares[i] = values[i]! ** 2;
  return pattern.select(scoreMatrix(shape, squares));
}

/** Whether a mask that a caller chose fits a weight and its pattern. @throws NonzeroError "shape", "invalid-argument". */
export function checkMask({ rows, cols }: Matrix, mask: Mask, pattern: Pattern): void {
  if (mask.rows !== rows || mask.cols !== cols || mask.data.length !== rows * cols)
    throw new NonzeroError("shape", `a ${mask.rows}×${mask.cols} mask for a ${rows}×${cols} weight`, { field: "mask" });
  const found = pattern.violation(mask);
  if (found !== null)
    throw new NonzeroError("invalid-argument", `the mask is not ${pattern.text}: ${found.reason}`, { field: "mask" });
}
