import { countNonzeros, type Mask, type Matrix, type Pattern } from "../../sparsity/index.js";
import { keepLargest } from "../../sparsity/top.js";
import { hessianOf, liveWeight, notesOf } from "../hessian.js";
import { checkAtLeast, checkLayer, checkMask, type LayerPruner, prunedLayer, selectLargest } from "../layer-pruner.js";
import { inverseOf } from "../linalg/inverse.js";
import { scaled, shifted, times, unscaled } from "./scaled.js";

export interface AdmmOptions {
  /** Default 20. */
  readonly iterations: number;
  /** Iterations in which the mask still changes and grows to the pattern's sparsity; default 15. Not used with a mask that is given. */
  readonly maskIterations: number;
  /** Weight of the constraint, with all inputs scaled to norm 1; default 1. */
  readonly rho: number;
  /** Added to the scaled Hessian's diagonal of ones; default 0.1. */
  readonly damping: number;
  /** Mends the weights under this mask instead of choosing one; it must satisfy the pattern. Default null. */
  readonly mask: Mask | null;
}

/**
 * Fast and effective weight update for pruned models (Boža, arXiv 2401.02938): alternating directions on min ‖X(W − Ŵ)ᵀ‖² with Ŵ = Z in the pattern.
 * Inputs are scaled to norm 1 first, so that |w| ranks as Wanda does. Then, with one inverse for all iterations:
 *
 *     Z = mask ∘ (W + U);  U = U + W − Z;  W = (W₀·H + ρ·(Z − U))·(H + ρI)⁻¹
 *
 * The mask is chosen anew in the first 15 of 20 iterations, by |W + U|, and prunes s·(1 − (1 − t/15)³) of what it will prune in the end.
 * Departures: double precision; every pattern: of the entries that the pattern would prune, the smallest go first (upstream has that for
 * 2:4, and prunes shares in full from the first iteration).
 *
 * n³/2 + 20·outputs·n² multiply-adds.
 */
export const admm: LayerPruner<AdmmOptions> = {
  name: "admm",
  needs: "gram",
  defaults: { iterations: 20, maskIterations: 15, rho: 1, damping: 0.1, mask: null },
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, "gram");
    const { iterations, maskIterations, rho, damping, mask: given } = { ...admm.defaults, ...options };
    checkAtLeast(1, { iterations });
    checkAtLeast(0, { maskIterations, damping });
    checkAtLeast(Number.MIN_VALUE, { rho });
    if (given !== null) checkMask(weight, given, pattern);
    const { rows, cols } = weight;
    // Damping is a share of each input's own norm here: it is added once they are all 1.
    const hessian = hessianOf(statistics!, 0);
    const layer = scaled(liveWeight(weight.data, hessian), rows, hessian);
    const matrix = shifted(layer.matrix, cols, damping);
    const target = times(layer.weight, rows, matrix, cols);
    const inverse = inverseOf(shifted(matrix, cols, rho), cols)!;
    let mask = given ?? { rows, cols, data: new Uint8Array(rows * cols).fill(1) };
    let w = layer.weight;
    const u = new Float64Array(rows * cols);
    for (let t = 1; t <= iterations; t++) {
      const sums = sum(w, u);
      if (given === null && t <= Math.max(1, maskIterations))
        mask = gradualMask(pattern, weight, sums, t >= maskIterations ? 1 : 1 - (1 - t / maskIterations) ** 3);
      const right = new Float64Array(rows * cols);
      for (let i = 0; i < right.length; i++) {
        const z = mask.data[i] !== 0 ? sums[i]! : 0;
        u[i] = sums[i]! - z;
        right[i] = target[i]! + rho * (z - u[i]!);
      }
      w = times(right, rows, inverse, cols);
    }
    return prunedLayer(weight, unscaled(sum(w, u), layer), mask, statistics, notesOf(hessian, statistics!));
  },
};

function sum(a: Float64Array, b: Float64Array): Float64Array {
  const sums = new Float64Array(a.length);
  for (let i = 0; i < sums.length; i++) sums[i] = a[i]! + b[i]!;
  return sums;
}

/** The pattern's mask by |values|, but only `share` of what it prunes, the smallest first. */
function gradualMask(pattern: Pattern, weight: Matrix, values: Float64Array, share: number): Mask {
  const mask = selectLargest(pattern, weight, values);
  if (share >= 1) return mask;
  const { rows, cols, data } = mask;
  // What the pattern keeps, and of the rest the largest.
  const more = Math.ceil((data.length - countNonzeros(mask)) * (1 - share));
  const sizes = new Float64Array(data.length);
  for (let i = 0; i < sizes.length; i++) sizes[i] = data[i] !== 0 ? -1 : Math.abs(values[i]!);
  const result = data.slice();
  keepLargest(sizes, 0, sizes.length, more, result);
  return { rows, cols, data: result };
}
