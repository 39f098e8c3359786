import type { Mask, Matrix, Pattern } from "../../sparsity/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { checkAtLeast, checkLayer, checkMask, type LayerPruner, prunedLayer } from "../layer-pruner.js";
import { formOf } from "../pattern-form.js";
import type { InputStatistics } from "../statistics/index.js";
import { selectByRow, wandaScores } from "./wanda.js";

export interface DsnotOptions {
  /** The mask to start from, which must satisfy the pattern; null (the default): Wanda's. */
  readonly mask: Mask | null;
  /** Swaps in each row, at most; default 50. */
  readonly cycles: number;
  /** Power of an input's variance that divides what a weight would restore; default 1. */
  readonly variancePower: number;
}

/**
 * Dynamic Sparse no Training (Zhang et al., ICLR 2024, arXiv 2310.08915): swaps kept and pruned weights of a row until the mean of its
 * output is nearly what it was; the weights themselves stay. With c_j = w_j·E[x_j] and e = Σ c_j over what is pruned, a swap brings back
 * the pruned weight of e's sign with the largest |c_j| / Var[x_j] and prunes, of the kept weights of the other sign, the one with the lowest
 * Wanda score; with n:m, the lowest of the same group, whatever its sign, unless |e| would grow. A row is done when a swap would overshoot (change e's sign).
 * What has been swapped once is not swapped again.
 *
 * Any mask can be improved: of a share of the matrix, of each row, or of n:m groups (inside blocks too). Not defined where rows or columns share
 * their choice. Departures: means are over tokens, not sums over sequences, and there is no threshold under which |e| counts as 0 (0.1 upstream);
 * upstream makes swaps in groups even where |e| grows.
 */
export const dsnot: LayerPruner<DsnotOptions> = {
  name: "dsnot",
  needs: "norms",
  defaults: { mask: null, cycles: 50, variancePower: 1 },
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, "norms");
    const { mask: given, cycles, variancePower } = { ...dsnot.defaults, ...options };
    checkAtLeast(0, { cycles, variancePower });
    const group = swapGroup(pattern);
    if (given !== null) checkMask(weight, given, pattern);
    const scores = wandaScores(weight, statistics!);
    const { rows, cols, data } = given ?? selectByRow(weight, scores, pattern);
    const mask = { rows, cols, data: data.slice() };
    const priorities = priority(statistics!, variancePower);
    for (let row = 0; row < rows; row++)
      swapInRow(weight, statistics!.mean, scores, priorities, mask.data, row, group, cycles);
    return prunedLayer(weight, weight.data, mask, statistics);
  },
};

/** Neighbouring columns within which a swap keeps to the pattern; null for the whole row. */
function swapGroup(pattern: Pattern): number | null {
  const form = formOf(pattern);
  if (form.kind === "dense") return null;
  if (form.kind === "groups" && form.height === 1 && form.width === 1) return form.m;
  if (form.kind === "share") {
    if (form.inside !== null) return form.inside.m;
    if (form.height === 1 && form.width === 1) return null;
  }
  throw new NonzeroError("unsupported", `DSnoT swaps single weights, which '${pattern.text}' does not allow`, {
    field: "pattern",
  });
}

/** E[x_j] / Var[x_j]^power: times w_j, the signed priority of bringing a weight back. Infinite for a constant input that is not 0. */
function priority({ mean, sumOfSquares, count }: InputStatistics, power: number): Float64Array {
  return mean.map((average, i) => {
    const variance = Math.max(0, sumOfSquares[i]! / count - average ** 2);
    return average === 0 ? 0 : average / variance ** power;
  });
}

function swapInRow(
  { cols, data }: Matrix,
  mean: Float64Array,
  scores: Float64Array,
  priorities: Float64Array,
  mask: Uint8Array,
  row: number,
  group: number | null,
  cycles: number,
): void {
  const base = row * cols;
  const contribution = (col: number): number => data[base + col]! * mean[col]!;
  const columns = Array.from({ length: cols }, (_, col) => col);
  let error = 0;
  for (const col of columns) if (mask[base + col] === 0) error += contribution(col);
  const sign = Math.sign(error);
  if (sign === 0) return;
  const size = (col: number): number => Math.abs(data[base + col]! * priorities[col]!);
  const back = columns
    .filter((col) => mask[base + col] === 0 && Math.sign(contribution(col)) === sign)
    .sort((a, b) => size(b) - size(a) || a - b);
  // Kept weights by their scores, lowest first; of equal scores the later goes first, as everywhere.
  const out = columns
    .filter((col) => mask[base + col] !== 0 && (group !== null || Math.sign(contribution(col)) === -sign))
    .sort((a, b) => scores[base + a]! - scores[base + b]! || b - a);
  let swaps = 0;
  for (const comes of back) {
    if (swaps === cycles) return;
    const at = group === null ? 0 : out.findIndex((col) => Math.floor(col / group) === Math.floor(comes / group));
    const goes = out[at];
    if (goes === undefined) {
      if (group === null) return;
      continue; // a group that keeps nothing more to give
    }
    const after = error + contribution(goes) - contribution(comes);
    if (Math.sign(after) !== sign) return;
    if (Math.abs(after) >= Math.abs(error)) continue; // what goes takes more than what comes brings
    mask[base + comes] = 1;
    mask[base + goes] = 0;
    out.splice(at, 1);
    error = after;
    swaps++;
  }
}
