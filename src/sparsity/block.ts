import { NonzeroError } from "../tensor/index.js";
import { type BlockGrid, blockGrid, blockSums, checkBlock, keptBlocks, spreadBlocks } from "./blocks.js";
import type { Mask, Matrix, Violation } from "./mask.js";
import type { Pattern } from "./pattern.js";
import { checkPercent, densityOf, keptOf, surplus } from "./share.js";
import { checkScores, keepLargest } from "./top.js";
import { bandViolation, checkGroup, keepGroups } from "./v-n-m.js";

/**
 * `block:RxC@P%`: whole blocks of R outputs × C inputs stay or go, P percent of them go. Blocks at the lower and right edge are
 * cut off by the matrix and count as blocks; their score is the sum of what is there.
 */
export function block(height: number, width: number, percent: number): Pattern {
  checkBlock(height, width);
  checkPercent(percent);
  return {
    kind: "block",
    text: `block:${height}x${width}@${percent}%`,
    density: densityOf(percent),
    select(scores) {
      checkScores(scores);
      return bestBlocks(scores, blockGrid(scores, height, width), percent);
    },
    violation: (mask) => blockViolation(mask, height, width, percent, `blocks of ${height}x${width}`),
  };
}

/**
 * `block:RxC@P%+n:m`: n:m inside the kept blocks; m divides C, so that no group lies in two blocks. A block's score is what n:m
 * leaves of it, so the choice of blocks and entries together is the best.
 */
export function blockWithGroups(height: number, width: number, percent: number, n: number, m: number): Pattern {
  checkBlock(height, width);
  checkPercent(percent);
  checkGroup(n, m);
  if (width % m !== 0) {
    throw new NonzeroError("invalid-argument", `${n}:${m} groups do not divide blocks of ${width} inputs`);
  }
  return {
    kind: "block+n:m",
    text: `block:${height}x${width}@${percent}%+${n}:${m}`,
    density: (densityOf(percent) * n) / m,
    select(scores) {
      checkScores(scores);
      const { rows, cols } = scores;
      const groups = new Uint8Array(rows * cols);
      keepGroups(scores.data, rows, cols, n, m, groups);
      const { data } = bestBlocks(scores, blockGrid(scores, height, width), percent, groups);
      for (let i = 0; i < data.length; i++) data[i] = data[i]! & groups[i]!;
      return { rows, cols, data };
    },
    violation: (mask) =>
      first(blockViolation(mask, height, width, percent, `blocks of ${height}x${width}`), bandViolation(mask, 1, n, m)),
  };
}

/** Keeps the blocks with the highest sums, of those scores that `counted` keeps where there is one. */
export function bestBlocks(scores: Matrix, grid: BlockGrid, percent: number, counted?: Uint8Array): Mask {
  const sums = blockSums(scores, grid, counted);
  const kept = new Uint8Array(sums.length);
  keepLargest(sums, 0, sums.length, keptOf(percent, sums.length), kept);
  return spreadBlocks(kept, scores, grid);
}

/** A violation at the first kept block beyond those that may stay. */
export function blockViolation(
  mask: Mask,
  height: number,
  width: number,
  percent: number,
  blocks: string,
): Violation | null {
  const grid = keptBlocks(mask, height, width);
  const keep = keptOf(percent, grid.data.length);
  const found = surplus(grid.data, keep);
  if (found === null) return null;
  const reason = `${keep} of ${grid.data.length} ${blocks} may stay and ${found.count} do`;
  return { row: Math.floor(found.first / grid.cols) * height, col: (found.first % grid.cols) * width, reason };
}

/** The violation that comes first by row, then by column. */
function first(a: Violation | null, b: Violation | null): Violation | null {
  if (a === null || b === null) return a ?? b;
  return b.row < a.row || (b.row === a.row && b.col < a.col) ? b : a;
}
