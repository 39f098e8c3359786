import type { Matrix } from "../sparsity/index.js";
import { factored } from "./hessian.js";
import { inverseOf } from "./linalg/inverse.js";
import { multiplyAdd } from "./linalg/multiply.js";
import { transposed, view } from "./linalg/view.js";
import type { InputStatistics } from "./statistics/index.js";

/** Share of the mean of XᵀX's diagonal that is added to it, which keeps weights near what they were where inputs say little. */
const DAMPING = 0.01;

/**
 * The weight that gives from the inputs X̂ of a pruned model what W gives from the dense model's X: the V that makes ‖X̂Vᵀ − XWᵀ‖² least,
 * V = W + W·(XᵀX̂ − X̂ᵀX̂)·(X̂ᵀX̂ + λI)⁻¹. A method that prunes V instead of W makes up for what pruning the layers before changed
 * (asymmetric calibration: Li et al., "GPTAQ", arXiv 2504.02692).
 * @param statistics of X̂, with `gram` and `cross`.
 */
export function retargeted({ rows, cols, data }: Matrix, statistics: InputStatistics): Matrix {
  const { gram, cross, count } = statistics;
  const difference = new Float64Array(cols * cols); // X̂ᵀX − X̂ᵀX̂
  for (let i = 0; i < difference.length; i++) difference[i] = (cross![i]! - gram![i]!) / count;
  const inverse = factored(statistics, DAMPING, inverseOf).factor;
  const pulled = new Float64Array(rows * cols);
  multiplyAdd(
    view(pulled, rows, cols),
    view(Float64Array.from(data), rows, cols),
    transposed(view(difference, cols, cols)),
  );
  const values = Float64Array.from(data);
  multiplyAdd(view(values, rows, cols), view(pulled, rows, cols), view(inverse, cols, cols));
  return { rows, cols, data: Float32Array.from(values) };
}
