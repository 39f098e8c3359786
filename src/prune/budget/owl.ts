import type { Matrix } from "../../sparsity/index.js";
import { NonzeroError } from "../../tensor/index.js";
import type { InputStatistics } from "../statistics/index.js";

export interface OwlOptions {
  /** Half of the range in which layers' densities lie; default 0.08. */
  readonly lambda?: number;
}

/** A layer as OWL sees it: a weight [outputs, inputs] and its inputs' statistics. */
export interface OwlLayer {
  readonly weight: Matrix;
  readonly statistics: InputStatistics;
}

/** Share of a layer's entries whose score |w|·‖X_j‖₂ (Wanda's) is more than `M` times the layer's mean score; 0 to 1. */
export function outlierRatio({ weight, statistics }: OwlLayer, M = 5): number {
  const { rows, cols, data } = weight;
  const norms = Float64Array.from(statistics.sumOfSquares, Math.sqrt);
  const score = (i: number): number => Math.abs(data[i]!) * norms[i % cols]!;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += score(i);
  const bound = (M * sum) / (rows * cols);
  let outliers = 0;
  for (let i = 0; i < data.length; i++) if (score(i) > bound) outliers++;
  return data.length === 0 ? 0 : outliers / data.length;
}

/**
 * Each layer's sparsity by its share of outliers, in the order of `ratios`: layers with many keep more. Ratios are mapped onto [0, 2·lambda], the mean is
 * taken off, and the density wanted is added; so the layers' plain mean is `sparsity`. As in Yin et al., "Outlier Weighed Layerwise Sparsity" (ICML 2024,
 * arXiv 2310.05175); layers there are transformer blocks: pass a block's ratio for all of its weights for that.
 * @param sparsity share of zeros wanted, 0 to 1.
 * @throws NonzeroError "invalid-argument" for a sparsity that `lambda` would push out of 0 to 1.
 */
export function owlSparsities(
  ratios: readonly number[],
  sparsity: number,
  { lambda = 0.08 }: OwlOptions = {},
): number[] {
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  const mapped = ratios.map((ratio) => (high > low ? ((ratio - low) / (high - low)) * 2 * lambda : 0));
  const mean = mapped.reduce((sum, value) => sum + value, 0) / Math.max(1, mapped.length);
  const found = mapped.map((value) => sparsity - (value - mean));
  const bad = found.find((value) => !(value >= 0 && value <= 1));
  if (bad !== undefined)
    throw new NonzeroError("invalid-argument", `a layer would get a sparsity of ${bad}`, { field: "lambda" });
  return found;
}
