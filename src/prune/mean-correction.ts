import type { Matrix } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";
import type { InputStatistics } from "./statistics/index.js";

/**
 * What to add to a layer's bias so that its mean output over the calibration inputs stays as it was: (W − Ŵ)·E[x], one number an output.
 * For a weight pruned by `centered` statistics, bias and weight together are the best.
 * @param statistics one entry for each group of a grouped convolution, for as many equal runs of outputs.
 * @throws NonzeroError "shape".
 */
export function meanCorrection(
  original: Matrix,
  pruned: Matrix,
  statistics: InputStatistics | readonly InputStatistics[],
): Float64Array {
  const { rows, cols } = original;
  const groups = "channels" in statistics ? [statistics] : statistics;
  const height = rows / groups.length;
  if (pruned.rows !== rows || pruned.cols !== cols || groups.some(({ channels }) => channels !== cols))
    throw new NonzeroError(
      "shape",
      `weights ${rows}×${cols} and ${pruned.rows}×${pruned.cols}, statistics of ${groups.map(({ channels }) => channels)} channels`,
    );
  if (!Number.isInteger(height))
    throw new NonzeroError("shape", `${groups.length} groups of inputs for ${rows} outputs`);
  const correction = new Float64Array(rows);
  for (let row = 0, i = 0; row < rows; row++) {
    const { mean } = groups[Math.floor(row / height)]!;
    for (let col = 0; col < cols; col++, i++) correction[row]! += (original.data[i]! - pruned.data[i]!) * mean[col]!;
  }
  return correction;
}
