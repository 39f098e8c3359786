import type { Matrix } from "../../sparsity/index.js";
import {
  checkAtLeast,
  checkLayer,
  type LayerPruner,
  type Needs,
  prunedLayer,
  scoreMatrix,
  scoresOf,
} from "../layer-pruner.js";
import type { InputStatistics } from "../statistics/index.js";

/** A method that only scores: the pattern keeps the highest, and they stay as they are. */
const byScores = <Options extends object>(
  name: string,
  needs: Needs,
  defaults: Options,
  scores: (weight: Matrix, statistics: InputStatistics, options: Options) => Float64Array,
): LayerPruner<Options> => ({
  name,
  needs,
  defaults,
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, needs);
    // A method that needs nothing reads no statistics.
    const found = scores(weight, statistics as InputStatistics, { ...defaults, ...options });
    return prunedLayer(weight, weight.data, pattern.select(scoreMatrix(weight, found)), statistics);
  },
});

/** Keeps the largest |w|: what WeightNormSparsifier does with blocks, for every pattern. */
export const magnitudePruner = byScores("magnitude", "nothing", {}, (weight) => scoresOf(weight, Math.abs));

/**
 * Optimal Brain Damage (LeCun, Denker and Solla, 1989): w_ij²·H_jj / 2 with the diagonal of the layer's own Hessian, H_jj = mean of x_j², in
 * place of the loss's. Entry by entry it ranks as Wanda does; a block, a V:n:m group, a row or a column scores the sum, which is what
 * pruning it adds to the squared error while inputs are uncorrelated. A share of the matrix is compared over all of it.
 */
export const optimalBrainDamage = byScores("obd", "norms", {}, (weight, { sumOfSquares, count }) =>
  scoresOf(weight, (w, col) => (w ** 2 * sumOfSquares[col]!) / (2 * count)),
);

export interface RiaOptions {
  /** How much the inputs' norms count; default 0.5, 0 not at all. */
  readonly a: number;
}

/**
 * RIA, relative importance and activations (Zhang et al., ICLR 2024): (|w_ij| / Σ_i |w_ij| + |w_ij| / Σ_j |w_ij|)·‖X_j‖₂^a, sums over the
 * weight's column and row. A share of the matrix is compared over all of it, `50%/row` within outputs. An exact share is pruned where upstream's
 * threshold takes one more. Channel permutation is no part of it.
 */
export const ria = byScores<RiaOptions>("ria", "norms", { a: 0.5 }, (weight, statistics, { a }) => {
  checkAtLeast(0, { a });
  return riaScores(weight, statistics, a);
});

function riaScores(weight: Matrix, { sumOfSquares }: InputStatistics, a: number): Float64Array {
  const { rows, cols, data } = weight;
  const ofRow = new Float64Array(rows);
  const ofCol = new Float64Array(cols);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++, at++) {
      ofRow[row]! += Math.abs(data[at]!);
      ofCol[col]! += Math.abs(data[at]!);
    }
  }
  const powers = sumOfSquares.map((sum) => sum ** (a / 2));
  return scoresOf(weight, (w, col, row) => {
    const size = Math.abs(w);
    return size === 0 ? 0 : (size / ofCol[col]! + size / ofRow[row]!) * powers[col]!;
  });
}
