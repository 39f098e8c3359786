import type { Matrix, Pattern } from "../../sparsity/index.js";
import { keptOf } from "../../sparsity/share.js";
import { keepLargest } from "../../sparsity/top.js";
import { NonzeroError } from "../../tensor/index.js";
import { checkLayer, type LayerPruner, prunedLayer, scoreMatrix, scoresOf } from "../layer-pruner.js";
import { formOf } from "../pattern-form.js";
import type { InputStatistics } from "../statistics/index.js";

export interface WandaOptions {
  /**
   * `paper` (default): |w|·‖X_j‖₂, and an unstructured share is compared within each output. `torchao`: |w|·‖X_j‖₂², as torchao's
   * WandaSparsifier has it, and the share is compared over the whole weight.
   */
  readonly variant: "paper" | "torchao";
}

/**
 * Wanda (Sun et al., arXiv 2306.11695): keeps the weights with the largest |w_ij|·‖X_j‖₂ and leaves them as they are.
 *
 * A share of the whole matrix (`50%`) is spread evenly over the outputs, whose counts then differ by one at most; `50%/row` prunes
 * floor(share · inputs) of each. Departures: equal scores keep the earlier entry, upstream's stable sort the later; groups of entries score their sum.
 */
export const wanda: LayerPruner<WandaOptions> = {
  name: "wanda",
  needs: "norms",
  defaults: { variant: "paper" },
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, "norms");
    const { variant } = { ...wanda.defaults, ...options };
    if (variant !== "paper" && variant !== "torchao")
      throw new NonzeroError("invalid-argument", `'${variant}' is neither 'paper' nor 'torchao'`, { field: "variant" });
    const scores = wandaScores(weight, statistics!, variant);
    const mask =
      variant === "paper" ? selectByRow(weight, scores, pattern) : pattern.select(scoreMatrix(weight, scores));
    return prunedLayer(weight, weight.data, mask, statistics);
  },
};

/** |w_ij|·‖X_j‖₂, or with ‖X_j‖₂² [outputs · inputs]. */
export function wandaScores(
  weight: Matrix,
  { sumOfSquares }: InputStatistics,
  variant: WandaOptions["variant"] = "paper",
): Float64Array {
  const norms = variant === "paper" ? sumOfSquares.map(Math.sqrt) : sumOfSquares;
  return scoresOf(weight, (w, col) => Math.abs(w) * norms[col]!);
}

/** A pattern's mask, an unstructured share compared within rows: of the first r rows together floor(share · r · columns) are pruned. */
export function selectByRow(weight: Matrix, scores: Float64Array, pattern: Pattern): ReturnType<Pattern["select"]> {
  const form = formOf(pattern);
  if (pattern.kind !== "unstructured" || form.kind !== "share" || form.perRow)
    return pattern.select(scoreMatrix(weight, scores));
  const { rows, cols } = weight;
  const data = new Uint8Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    const keep = keptOf(form.percent, (row + 1) * cols) - keptOf(form.percent, row * cols);
    keepLargest(scores, row * cols, (row + 1) * cols, keep, data);
  }
  return { rows, cols, data };
}
