import type { Matrix } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";
import type { InputStatistics } from "./statistics/index.js";

/**
 * What to add to a layer's bias so that its mean output over the calibration inputs stays as it was: (W − Ŵ)·E[x], one number an output.
 * For a weight pruned by `centered` statistics, bias and weight together are the best.
 * @throws NonzeroError "shape".
 */
export function meanCorrection(original: Matrix, pruned: Matrix, { mean, channels }: InputStatistics): Float64Array {
  const { rows, cols } = original;
  if (pruned.rows !== rows || pruned.cols !== cols || channels !== cols)
    throw new NonzeroError(
      "shape",
      `weights ${rows}×${cols} and ${pruned.rows}×${pruned.cols}, statistics of ${channels} channels`,
    );
  const correction = new Float64Array(rows);
  for (let row = 0, i = 0; row < rows; row++)
    for (let col = 0; col < cols; col++, i++) correction[row]! += (original.data[i]! - pruned.data[i]!) * mean[col]!;
  return correction;
}
