import type { Mask, Matrix, Pattern } from "../../sparsity/index.js";
import { factored, type Hessian, liveWeight } from "../hessian.js";
import { checkAtLeast, checkLayer, type LayerPruner, prunedLayer } from "../layer-pruner.js";
import { upperFactorOfInverse } from "../linalg/inverse.js";
import { multiplyAdd } from "../linalg/multiply.js";
import { block, type View, view } from "../linalg/view.js";
import { formOf } from "../pattern-form.js";
import type { InputStatistics } from "../statistics/index.js";
import { type Sweep, sweepOf } from "./sweep.js";

export interface SparseGptOptions {
  /** Columns whose later ones are updated one by one; and over which an unstructured share is compared. Default 128. */
  readonly blockSize: number;
  /** Added to the Hessian's diagonal, as a share of its mean; default 0.01. */
  readonly damping: number;
}

/**
 * SparseGPT (Frantar and Alistarh, arXiv 2301.00774). Columns go from left to right; pruning w_j changes the columns after it by
 * −w_j / U_jj · U_j,: where UᵀU = (XᵀX + λI)⁻¹, so that the layer's outputs change least, and saliencies are (w_j / U_jj)². n:m is chosen
 * when the sweep reaches a group, with weights as they are by then; shares are chosen by stripes of `blockSize` columns.
 *
 * Departures: everything in double precision; a share prunes exactly floor(share · count), where upstream's threshold prunes one more in each stripe,
 * and equal scores keep the earlier entry; the mean of the diagonal, for damping, leaves dead inputs out; groups of entries (V:n:m, blocks) score
 * the sum of their saliencies; whole rows, whole columns and shuffled blocks, which a sweep cannot choose, are chosen before it: rows by
 * the output that would be lost, columns and blocks by w_j² / (H⁻¹)_jj.
 *
 * n³/3 + outputs·n²/2 multiply-adds for n inputs.
 */
export const sparseGpt: LayerPruner<SparseGptOptions> = {
  name: "sparsegpt",
  needs: "gram",
  defaults: { blockSize: 128, damping: 0.01 },
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, "gram");
    const { blockSize, damping } = { ...sparseGpt.defaults, ...options };
    checkAtLeast(1, { blockSize });
    checkAtLeast(0, { damping });
    return sweep(weight, statistics!, pattern, blockSize, damping);
  },
};

function sweep(
  weight: Matrix,
  statistics: InputStatistics,
  pattern: Pattern,
  blockSize: number,
  damping: number,
): ReturnType<LayerPruner["prune"]> {
  const { rows, cols } = weight;
  const { hessian, factor, notes } = factored(statistics, damping, upperFactorOfInverse);
  const values = liveWeight(weight.data, hessian);
  const mask: Mask = { rows, cols, data: new Uint8Array(rows * cols).fill(1) };
  const chosen = sweepOf(pattern, weight, Math.ceil(blockSize), () =>
    formOf(pattern).kind === "rows" ? lossOfRows(values, rows, hessian) : singleSaliencies(values, factor, cols),
  );
  const w = view(values, rows, cols);
  const u = view(factor, cols, cols);
  for (let left = 0; left < cols; left += chosen.stripe) {
    const right = Math.min(left + chosen.stripe, cols);
    const errors = sweepStripe(values, factor, mask, left, right, chosen);
    multiplyAdd(
      block(w, 0, rows, right, cols),
      view(errors, rows, right - left),
      block(u, left, right, right, cols),
      -1,
    );
  }
  return prunedLayer(weight, values, mask, statistics, notes);
}

/** Prunes columns left … right - 1 and updates those among them; the errors [rows, right - left] are what later columns must take up. */
function sweepStripe(
  values: Float64Array,
  factor: Float64Array,
  { rows, cols, data: mask }: Mask,
  left: number,
  right: number,
  chosen: Sweep,
): Float64Array {
  const errors = new Float64Array(rows * (right - left));
  const saliencies = (from: number, to: number): Float64Array => {
    const scores = new Float64Array(rows * (to - from));
    for (let row = 0, i = 0; row < rows; row++)
      for (let col = from; col < to; col++) scores[i++] = (values[row * cols + col]! / factor[col * (cols + 1)]!) ** 2;
    return scores;
  };
  for (let from = left; from < right; from += chosen.step) {
    chosen.choose(from, saliencies, mask);
    const to = Math.min(from + chosen.step, right);
    for (let row = 0; row < rows; row++) {
      const base = row * cols;
      for (let col = from; col < to; col++) {
        if (mask[base + col] !== 0) continue;
        const error = values[base + col]! / factor[col * (cols + 1)]!;
        errors[row * (right - left) + col - left] = error;
        values[base + col] = 0;
        if (error === 0) continue;
        for (let next = col + 1, at = col * cols + next; next < right; next++, at++)
          values[base + next] = values[base + next]! - error * factor[at]!;
      }
    }
  }
  return errors;
}

/** w_j² / (H⁻¹)_jj: what removing one weight costs when all others make up for it. (H⁻¹)_jj is the squared length of U's column. */
export function singleSaliencies(values: Float64Array, factor: Float64Array, cols: number): Float64Array {
  const diagonal = new Float64Array(cols);
  for (let i = 0; i < cols; i++) for (let j = i; j < cols; j++) diagonal[j]! += factor[i * cols + j]! ** 2;
  return values.map((value, at) => value ** 2 / diagonal[at % cols]!);
}

/** Scores whose sum over a row is w·H·wᵀ, what is lost with the whole row. */
export function lossOfRows(values: Float64Array, rows: number, { matrix, size }: Hessian): Float64Array {
  const products: View = view(new Float64Array(values.length), rows, size);
  multiplyAdd(products, view(values, rows, size), view(matrix, size, size));
  return values.map((value, at) => value * products.data[at]!);
}
