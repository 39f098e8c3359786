import type { Mask, Matrix, Pattern } from "../../sparsity/index.js";
import { keptOf } from "../../sparsity/share.js";
import { NonzeroError } from "../../tensor/index.js";
import { factored, type Hessian, liveWeight } from "../hessian.js";
import { checkAtLeast, checkLayer, type LayerPruner, prunedLayer, scoreMatrix } from "../layer-pruner.js";
import { inverseOf } from "../linalg/inverse.js";
import { formOf, type PatternForm } from "../pattern-form.js";
import { type Elimination, eliminate } from "./eliminate.js";
import { bestUnder } from "./least-squares.js";
import { lossOfRows } from "./sparse-gpt.js";

export interface ObcOptions {
  /** Added to the Hessian's diagonal, as a share of its mean; default 0.01, upstream's 0. */
  readonly damping: number;
}

/**
 * Optimal Brain Compression's ExactOBS (Frantar, Singh and Alistarh, arXiv 2208.11580): each row gives up one weight at a time, the one that
 * costs its outputs least, w_p² / (H⁻¹)_pp, and the rest of the row makes up for it. For a share of the matrix every row is taken to its end and the
 * cheapest steps of all rows are kept.
 *
 * Rows that share a mask (V:n:m, blocks, whole columns) share the inverse too, and are pruned together by the sum of their costs; blocks go by
 * the cost of all their columns at once, w_g·(H⁻¹)_gg⁻¹·w_gᵀ. That is more than upstream's 1 × 4 blocks, and reduces to them.
 * Departures: double precision; damping; a row's steps are compared by the largest cost so far, so that no row's later step goes before its earlier;
 * weights are solved for anew where the number of steps is known only at the end.
 * Not defined for n:m inside blocks and for shuffled blocks.
 *
 * outputs · n³/8 multiply-adds at 50 %, n³/2 for shares of the whole matrix, in plain TypeScript: for weights of a few hundred inputs.
 */
export const obc: LayerPruner<ObcOptions> = {
  name: "obc",
  needs: "gram",
  defaults: { damping: 0.01 },
  prune(weight, statistics, pattern, options = {}) {
    checkLayer(weight, statistics, "gram");
    const { damping } = { ...obc.defaults, ...options };
    checkAtLeast(0, { damping });
    const plan = planOf(pattern, weight);
    const { hessian, factor, notes } = factored(statistics!, damping, inverseOf);
    const values = liveWeight(weight.data, hessian);
    if (plan === "dense") return prunedLayer(weight, values, pattern.select(weight), statistics, notes);
    if (plan === "rows") {
      const mask = pattern.select(scoreMatrix(weight, lossOfRows(values, weight.rows, hessian)));
      return prunedLayer(weight, values, mask, statistics, notes);
    }
    const mask =
      plan.total === null ? stepwise(values, weight, plan, factor) : globally(values, weight, plan, factor, hessian);
    return prunedLayer(weight, values, mask, statistics, notes);
  },
};

/** How bands of rows give up groups of columns. */
interface Plan {
  /** Rows that share their mask, and columns that go together. */
  readonly height: number;
  readonly width: number;
  /** What is kept of each run of neighbouring groups; the last run may be shorter than `run`. */
  readonly run: number;
  readonly keep: (length: number) => number;
  /** Groups that go in the whole matrix, the cheapest of all bands; null where each band is on its own. */
  readonly total: number | null;
}

function planOf(pattern: Pattern, { rows, cols }: Matrix): Plan | "dense" | "rows" {
  const form: PatternForm = formOf(pattern);
  switch (form.kind) {
    case "dense":
    case "rows":
      return form.kind;
    case "cols":
      return {
        height: Math.max(1, rows),
        width: 1,
        run: cols,
        keep: (length) => keptOf(form.percent, length),
        total: null,
      };
    case "groups": {
      const { height, width, n, m } = form;
      return { height, width, run: m, keep: (length) => Math.ceil((n * length) / m), total: null };
    }
    case "share": {
      if (form.inside !== null) break;
      const { height, width, percent } = form;
      const run = Math.max(1, Math.ceil(cols / width));
      if (form.perRow) return { height, width, run, keep: (length) => keptOf(percent, length), total: null };
      const groups = Math.ceil(rows / height) * run;
      return { height, width, run, keep: () => 0, total: groups - keptOf(percent, groups) };
    }
  }
  throw new NonzeroError(
    "unsupported",
    `OBC removes entries or blocks one by one, which '${pattern.text}' does not allow`,
    {
      field: "pattern",
    },
  );
}

const maskOfOnes = ({ rows, cols }: Matrix): Mask => ({ rows, cols, data: new Uint8Array(rows * cols).fill(1) });

/** Removes from a mask what a band of rows gives up. */
function clear(mask: Mask, top: number, bottom: number, width: number, groups: readonly number[]): void {
  for (const group of groups) {
    for (let row = top; row < bottom; row++)
      mask.data.fill(0, row * mask.cols + group * width, row * mask.cols + Math.min((group + 1) * width, mask.cols));
  }
}

/** Bands of rows as views of the weight, each taken to the end that its runs allow. */
function* bands(
  values: Float64Array,
  { rows, cols }: Matrix,
  { height, width, run, keep }: Plan,
  inverse: Float64Array,
): Generator<{ readonly top: number; readonly bottom: number; readonly gone: Elimination }> {
  const count = Math.ceil(cols / width);
  const quotas = Array.from({ length: Math.ceil(count / run) }, (_, i) => {
    const length = Math.min(run, count - i * run);
    return length - keep(length);
  });
  for (let top = 0; top < rows; top += height) {
    const bottom = Math.min(top + height, rows);
    yield {
      top,
      bottom,
      gone: eliminate(values.subarray(top * cols, bottom * cols), inverse, cols, width, quotas, run),
    };
  }
}

function stepwise(values: Float64Array, weight: Matrix, plan: Plan, inverse: Float64Array): Mask {
  const mask = maskOfOnes(weight);
  for (const { top, bottom, gone } of bands(values, weight, plan, inverse))
    clear(mask, top, bottom, plan.width, gone.groups);
  return mask;
}

/** The cheapest steps of all bands, then the weights that are best under that mask, into `values`. */
function globally(values: Float64Array, weight: Matrix, plan: Plan, inverse: Float64Array, hessian: Hessian): Mask {
  const steps: { readonly loss: number; readonly band: number }[] = [];
  const all: { readonly top: number; readonly bottom: number; readonly groups: readonly number[] }[] = [];
  for (const { top, bottom, gone } of bands(values.slice(), weight, plan, inverse)) {
    let loss = Number.NEGATIVE_INFINITY;
    for (const step of gone.losses) {
      loss = Math.max(loss, step);
      steps.push({ loss, band: all.length });
    }
    all.push({ top, bottom, groups: gone.groups });
  }
  const taken = new Uint32Array(all.length);
  steps.sort((a, b) => a.loss - b.loss);
  for (const { band } of steps.slice(0, plan.total!)) taken[band]!++;
  const mask = maskOfOnes(weight);
  all.forEach(({ top, bottom, groups }, band) => clear(mask, top, bottom, plan.width, groups.slice(0, taken[band])));
  values.set(bestUnder(values, mask, hessian));
  return mask;
}
