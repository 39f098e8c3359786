import type { Mask, Matrix } from "../../sparsity/index.js";
import { factored, type Hessian, liveWeight } from "../hessian.js";
import { checkAtLeast, checkLayer, type PrunedLayer, prunedLayer } from "../layer-pruner.js";
import { cholesky, solveFactored } from "../linalg/cholesky.js";
import { inverseOf } from "../linalg/inverse.js";
import { multiplyAdd } from "../linalg/multiply.js";
import { view } from "../linalg/view.js";
import type { InputStatistics } from "../statistics/index.js";

/**
 * The best weights under a mask: each row's kept entries are H_kk⁻¹·(H·w)_k, the least squares solution for the layer's outputs. k³/6
 * multiply-adds for each row that keeps k entries, once for neighbouring rows that keep the same.
 * @param options.damping share of the mean of H's diagonal that is added to it; default 0.01.
 * @throws NonzeroError "shape", "invalid-argument".
 */
export function leastSquares(
  weight: Matrix,
  mask: Mask,
  statistics: InputStatistics,
  { damping = 0.01 }: { readonly damping?: number } = {},
): PrunedLayer {
  checkLayer(weight, statistics, "gram");
  checkAtLeast(0, { damping });
  // A mask may keep all inputs: the whole Hessian has to be definite.
  const { hessian, notes } = factored(statistics, damping, inverseOf);
  return prunedLayer(weight, bestUnder(liveWeight(weight.data, hessian), mask, hessian), mask, statistics, notes);
}

/** The least squares weights for a definite Hessian, [outputs, inputs], zeros elsewhere. */
export function bestUnder(values: Float64Array, { rows, cols, data: mask }: Mask, { matrix }: Hessian): Float64Array {
  const best = new Float64Array(values.length);
  const products = new Float64Array(values.length);
  multiplyAdd(view(products, rows, cols), view(values, rows, cols), view(matrix, cols, cols));
  let kept: number[] = [];
  let factor = view(new Float64Array(0), 0, 0);
  for (let row = 0; row < rows; row++) {
    const base = row * cols;
    if (row === 0 || !sameRow(mask, base, cols)) {
      kept = [];
      for (let col = 0; col < cols; col++) if (mask[base + col] !== 0) kept.push(col);
      const data = new Float64Array(kept.length ** 2);
      kept.forEach((i, at) => {
        for (let j = 0; j <= at; j++) data[at * kept.length + j] = matrix[i * cols + kept[j]!]!;
      });
      factor = view(data, kept.length, kept.length);
      cholesky(factor);
    }
    const solution = Float64Array.from(kept, (col) => products[base + col]!);
    solveFactored(factor, solution);
    kept.forEach((col, at) => {
      best[base + col] = solution[at]!;
    });
  }
  return best;
}

/** Whether a row keeps what the row before it keeps. */
function sameRow(mask: Uint8Array, base: number, cols: number): boolean {
  for (let col = 0; col < cols; col++) if (mask[base + col] !== mask[base - cols + col]) return false;
  return true;
}
