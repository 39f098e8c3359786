import type { Pattern } from "../../sparsity/index.js";
import { keptOf } from "../../sparsity/share.js";
import { keepLargest } from "../../sparsity/top.js";
import { keepGroups } from "../../sparsity/v-n-m.js";
import { scoreMatrix } from "../layer-pruner.js";
import { formOf, type PatternForm } from "../pattern-form.js";
import { gridSums } from "./grid.js";

/** Scores of columns left … right - 1 as they stand now, [rows, right - left]. */
export type Scores = (left: number, right: number) => Float64Array;

/**
 * Chooses a pattern's mask from left to right, while the weights of later columns still change: how SparseGPT prunes.
 */
export interface Sweep {
  /** Columns that the method should handle together; a multiple of `step`. */
  readonly stripe: number;
  /** `choose` is to be called at each multiple of this. */
  readonly step: number;
  /** Writes the mask [rows, cols] of the next columns: at least `step` from `left` on. */
  choose(left: number, scores: Scores, mask: Uint8Array): void;
}

interface Shape {
  readonly rows: number;
  readonly cols: number;
}

/**
 * The sweep of a pattern.
 *
 * | pattern | chosen | among |
 * | --- | --- | --- |
 * | n:m, V:n:m, n:m over blocks | every m columns (m blocks) | the group, by the sum over the rows or entries that share it |
 * | a share, per row or of the matrix, of entries or blocks | every `stripe` columns | the stripe, whose share is that of the matrix |
 * | blocks with n:m inside | blocks as above, n:m every m columns | |
 * | rows, columns, shuffled blocks | at the start | the whole matrix, by `whole` |
 */
export function sweepOf(pattern: Pattern, shape: Shape, columns: number, whole: () => Float64Array): Sweep {
  const form = formOf(pattern);
  switch (form.kind) {
    case "groups":
      return groupSweep(form, shape, columns);
    case "share":
      return form.inside === null ? shareSweep(form, shape, columns) : nestedSweep(form, form.inside, shape, columns);
    case "dense":
    case "rows":
    case "cols":
    case "whole":
      return wholeSweep(pattern, shape, columns, whole);
  }
}

/** The least multiple of `unit` that is no less than `columns`. */
const multiple = (columns: number, unit: number): number => Math.ceil(columns / unit) * unit;

function groupSweep(form: PatternForm & { kind: "groups" }, { rows, cols }: Shape, columns: number): Sweep {
  const { height, width, n, m } = form;
  const step = width * m;
  return {
    stripe: multiple(columns, step),
    step,
    choose(left, scores, mask) {
      const right = Math.min(left + step, cols);
      const { grid, sums } = gridSums(scores(left, right), rows, right - left, height, width);
      const kept = new Uint8Array(sums.length);
      keepGroups(sums, grid.rows, grid.cols, n, m, kept);
      for (let row = 0; row < rows; row++) {
        const first = Math.floor(row / height) * grid.cols;
        for (let col = left; col < right; col++)
          mask[row * cols + col] = kept[first + Math.floor((col - left) / width)]!;
      }
    },
  };
}

/** Stripes prune what keeps the total at floor(share) after each of them, so that the last one makes it exact. */
function shareSweep(form: PatternForm & { kind: "share" }, { rows, cols }: Shape, columns: number): Sweep {
  const { height, width, percent, perRow } = form;
  const step = multiple(columns, width);
  return {
    stripe: step,
    step,
    choose(left, scores, mask) {
      const right = Math.min(left + step, cols);
      const { grid, sums } = gridSums(scores(left, right), rows, right - left, height, width);
      const kept = new Uint8Array(sums.length);
      const before = left / width;
      const after = Math.ceil(right / width);
      const bands = perRow ? grid.rows : 1;
      const keep = keptOf(percent, (after * grid.rows) / bands) - keptOf(percent, (before * grid.rows) / bands);
      const size = sums.length / bands;
      for (let band = 0; band < bands; band++) keepLargest(sums, band * size, (band + 1) * size, keep, kept);
      for (let row = 0; row < rows; row++) {
        const first = Math.floor(row / height) * grid.cols;
        for (let col = left; col < right; col++)
          mask[row * cols + col] = kept[first + Math.floor((col - left) / width)]!;
      }
    },
  };
}

/** Blocks by stripes, by what n:m would leave of their scores; then n:m in the blocks that stay, with later scores. */
function nestedSweep(
  form: PatternForm & { kind: "share" },
  { n, m }: { readonly n: number; readonly m: number },
  shape: Shape,
  columns: number,
): Sweep {
  const { rows, cols } = shape;
  const blocks = shareSweep({ ...form, inside: null }, shape, columns);
  const groups = (scores: Float64Array, width: number): Uint8Array => {
    const kept = new Uint8Array(scores.length);
    keepGroups(scores, rows, width, n, m, kept);
    return kept;
  };
  return {
    stripe: blocks.stripe,
    step: m,
    choose(left, scores, mask) {
      if (left % blocks.stripe === 0) {
        const best: Scores = (from, to) => {
          const all = scores(from, to);
          const kept = groups(all, to - from);
          return all.map((score, i) => score * kept[i]!);
        };
        blocks.choose(left, best, mask);
      }
      const right = Math.min(left + m, cols);
      const kept = groups(scores(left, right), right - left);
      for (let row = 0; row < rows; row++)
        for (let col = left; col < right; col++) mask[row * cols + col]! &= kept[row * (right - left) + col - left]!;
    },
  };
}

function wholeSweep(pattern: Pattern, shape: Shape, columns: number, whole: () => Float64Array): Sweep {
  return {
    stripe: columns,
    step: columns,
    choose(left, _, mask) {
      if (left === 0) mask.set(pattern.select(scoreMatrix(shape, whole())).data);
    },
  };
}
