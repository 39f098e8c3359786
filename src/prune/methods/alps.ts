import { countNonzeros, type Mask, type Matrix, type Pattern } from "../../sparsity/index.js";
import { factored, liveWeight } from "../hessian.js";
import { checkAtLeast, checkLayer, type LayerPruner, prunedLayer, selectLargest } from "../layer-pruner.js";
import { inverseOf } from "../linalg/inverse.js";
import { conjugateGradients } from "./conjugate-gradients.js";
import { type Scaled, scaled, shifted, times, unscaled } from "./scaled.js";

export interface AlpsOptions {
  /** At most; default 300. */
  readonly iterations: number;
  /** What the constraint weighs at first, with all inputs scaled to norm 1; default 0.1. */
  readonly rho: number;
  /** Added to the Hessian's diagonal, as a share of its mean; default 0.01. */
  readonly damping: number;
  /** Steps of conjugate gradients on the mask that was found; default 10. */
  readonly refinements: number;
}

/** Iterations between looks at the mask, and after which a mask that barely changes is final. */
const LOOK = 3;
const SETTLE = 30;
const MOST_RHO = 1e6;

/**
 * ALPS (Meng et al., NeurIPS 2024, arXiv 2406.07831): alternating directions on min ‖X(W − B)ᵀ‖² with B = D and D in the pattern, where the
 * penalty ρ grows with how much the mask still changes, then conjugate gradients on the mask:
 *
 *     B = (W·H − V + ρ·D)·(H + ρI)⁻¹;  D = the pattern's best of B + V/ρ;  V = V + ρ·(B − D)
 *
 * Every third iteration ρ grows by 1.3, 1.2 or 1.1 where more than 10 %, 0.5 % or none of the kept entries' number have changed; where it is too large from the start
 * (less than 0.5 % changed and never more) it falls to a fifth, and all begins anew; the mask that no longer changes is final.
 *
 * Departures: double precision; every pattern, by `Pattern.select`; no eigendecomposition, which would make (H + ρI)⁻¹ for a new ρ in n³/2
 * multiply-adds, exactly what a Cholesky factorization takes; the final mask is D's, as in the paper, upstream's code takes the best of B.
 *
 * outputs·n² multiply-adds an iteration and n³/2 every third, for some 30 to 100 iterations.
 */
export const alps: LayerPruner<AlpsOptions> = {
  name: "alps",
  needs: "gram",
  defaults: { iterations: 300, rho: 0.1, damping: 0.01, refinements: 10 },
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, "gram");
    const { iterations, rho, damping, refinements } = { ...alps.defaults, ...options };
    checkAtLeast(1, { iterations });
    checkAtLeast(0, { damping, refinements });
    checkAtLeast(Number.MIN_VALUE, { rho });
    const { hessian, notes } = factored(statistics!, damping, inverseOf);
    const layer = scaled(liveWeight(weight.data, hessian), weight.rows, hessian);
    const { mask, values } = alternate(layer, weight, pattern, iterations, rho);
    const refined = conjugateGradients(layer, mask, values, refinements);
    return prunedLayer(weight, unscaled(refined, layer), mask, statistics, notes);
  },
};

interface State {
  /** B, D and V of the formula. */
  readonly b: Float64Array;
  readonly d: Float64Array;
  readonly v: Float64Array;
  readonly mask: Mask;
}

function alternate(
  layer: Scaled,
  weight: Matrix,
  pattern: Pattern,
  iterations: number,
  firstRho: number,
): { readonly mask: Mask; readonly values: Float64Array } {
  const { size, matrix } = layer;
  const start = begin(layer, weight, pattern);
  let state = start;
  let seen = start.mask;
  let rho = firstRho;
  let moved = false;
  let inverse = inverseOf(shifted(matrix, size, rho), size)!;
  const kept = Math.max(1, countNonzeros(start.mask));
  for (let i = 1; i <= iterations; i++) {
    state = iterate(state, layer, weight, pattern, rho, inverse);
    if (i % LOOK !== 0) continue;
    const change = changes(state.mask, seen) / kept;
    seen = state.mask;
    if (change > 0.005) {
      moved = true;
      rho *= change > 0.1 ? 1.3 : 1.2;
    } else if (moved) {
      if (change === 0) break;
      rho *= 1.1;
    } else {
      rho /= 5;
      if (change > 0) state = start;
    }
    if (i > SETTLE && change < 3e-4) break;
    rho = Math.min(rho, MOST_RHO);
    inverse = inverseOf(shifted(matrix, size, rho), size)!;
  }
  return { mask: state.mask, values: state.d };
}

function begin({ weight: b }: Scaled, weight: Matrix, pattern: Pattern): State {
  const mask = selectLargest(pattern, weight, b);
  const d = new Float64Array(b.length);
  for (let i = 0; i < d.length; i++) if (mask.data[i] !== 0) d[i] = b[i]!;
  return { b, d, v: new Float64Array(b.length), mask };
}

function iterate(
  { d, v }: State,
  { rows, size, products }: Scaled,
  weight: Matrix,
  pattern: Pattern,
  rho: number,
  inverse: Float64Array,
): State {
  const right = new Float64Array(d.length);
  for (let i = 0; i < right.length; i++) right[i] = products[i]! - v[i]! + rho * d[i]!;
  const b = times(right, rows, inverse, size);
  const next = new Float64Array(d.length);
  for (let i = 0; i < next.length; i++) next[i] = b[i]! + v[i]! / rho;
  const mask = selectLargest(pattern, weight, next);
  const dual = new Float64Array(d.length);
  for (let i = 0; i < next.length; i++) {
    if (mask.data[i] === 0) next[i] = 0;
    dual[i] = v[i]! + rho * (b[i]! - next[i]!);
  }
  return { b, d: next, v: dual, mask };
}

function changes(a: Mask, b: Mask): number {
  let count = 0;
  for (let i = 0; i < a.data.length; i++) if (a.data[i] !== b.data[i]) count++;
  return count;
}
