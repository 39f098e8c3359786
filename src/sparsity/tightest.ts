import { block, blockWithGroups } from "./block.js";
import { keptBlocks } from "./blocks.js";
import { dense } from "./dense.js";
import { countNonzeros, type Mask } from "./mask.js";
import { nm } from "./n-m.js";
import type { Pattern } from "./pattern.js";
import { percentOf } from "./share.js";
import { cols, rows } from "./structured.js";
import { unstructured } from "./unstructured.js";
import { vnm } from "./v-n-m.js";

const BLOCKS = [64, 32, 16, 8, 4];
const BANDS = [16, 8, 4, 2];
const GROUPS: readonly (readonly [number, number])[] = [
  [1, 4],
  [2, 8],
  [4, 16],
  [8, 32],
  [1, 2],
  [2, 4],
  [4, 8],
  [8, 16],
  [16, 32],
];

/**
 * The well known pattern that says most about a mask. It must hold, four fifths of what it allows must be kept, and four fifths
 * of the pruned entries must be its doing; of several such patterns it is the one with the least density, and of about equal
 * ones (2 %) the coarsest, in the order rows, cols, square blocks of 64 to 4, then these with 2:4 inside, V:n:m, n:m. Where there is none it
 * is `unstructured`, and `dense` where nothing is pruned.
 */
export function tightestPattern(mask: Mask): Pattern {
  const entries = mask.data.length;
  const kept = countNonzeros(mask);
  if (kept === entries) return dense;
  let best: Pattern | null = null;
  for (const pattern of candidates(mask)) {
    const allowed = pattern.density * entries;
    if (kept < 0.8 * allowed || entries - allowed < 0.8 * (entries - kept)) continue;
    if (best !== null && pattern.density > 0.98 * best.density) continue;
    if (pattern.violation(mask) === null) best = pattern;
  }
  return best ?? unstructured(percentOf(entries - kept, entries));
}

function* candidates(mask: Mask): Generator<Pattern> {
  const prunedRows = prunedShare(mask, 1, Math.max(1, mask.cols));
  const prunedCols = prunedShare(mask, Math.max(1, mask.rows), 1);
  if (prunedRows > 0) yield rows(prunedRows);
  if (prunedCols > 0) yield cols(prunedCols);
  const blocks = BLOCKS.map((side) => ({ side, percent: prunedShare(mask, side, side) })).filter((b) => b.percent > 0);
  for (const { side, percent } of blocks) yield block(side, side, percent);
  for (const { side, percent } of blocks) yield blockWithGroups(side, side, percent, 2, 4);
  for (const v of BANDS) for (const [n, m] of GROUPS) yield vnm(v, n, m);
  for (const [n, m] of GROUPS) yield nm(n, m);
}

/** Share of empty blocks. */
function prunedShare(mask: Mask, height: number, width: number): number {
  const grid = keptBlocks(mask, height, width);
  return percentOf(grid.data.length - countNonzeros(grid), grid.data.length);
}
