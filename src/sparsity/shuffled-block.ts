import { blockGrid, blockSums, checkBlock, keptBlocks } from "./blocks.js";
import type { Mask, Matrix, Violation } from "./mask.js";
import type { Pattern } from "./pattern.js";
import { checkPercent, densityOf, keptOf } from "./share.js";
import { checkScores, keepLargest } from "./top.js";

/**
 * `shuffled-block:RxC@P%` (Shfl-BW, arXiv 2203.05016): blocks of R × C as in `block`, after the rows have been permuted so that
 * rows which want the same columns lie together. Any partition of the rows into groups of R (and one of fewer) is allowed.
 *
 * Finding the best partition is hard, so `select` is a heuristic, and a deterministic one: each row marks the runs of C
 * columns that it would keep by itself; the first row without a group takes the R - 1 other rows that share most of its marks
 * (ties to the lower row), and so on; then the best blocks of this grouping stay. `violation` groups equal rows, then what is
 * left over in order; it never accepts a mask for which no grouping exists, but a mask made elsewhere may have one that it misses.
 */
export function shuffledBlock(height: number, width: number, percent: number): Pattern {
  checkBlock(height, width);
  checkPercent(percent);
  return {
    kind: "shuffled-block",
    text: `shuffled-block:${height}x${width}@${percent}%`,
    density: densityOf(percent),
    select(scores) {
      checkScores(scores);
      const { rows, cols } = scores;
      const groups = similarRows(wantedRuns(scores, width, percent), height);
      const order = groups.flat();
      const shuffled = new Float32Array(scores.data.length);
      order.forEach((row, at) => {
        shuffled.set(scores.data.subarray(row * cols, (row + 1) * cols), at * cols);
      });
      const grid = blockGrid(scores, height, width);
      const sums = blockSums({ rows, cols, data: shuffled }, grid);
      const kept = new Uint8Array(sums.length);
      keepLargest(sums, 0, sums.length, keptOf(percent, sums.length), kept);
      const data = new Uint8Array(scores.data.length);
      groups.forEach((members, group) => {
        for (let run = 0; run < grid.cols; run++) {
          if (kept[group * grid.cols + run] === 0) continue;
          for (const row of members)
            data.fill(1, row * cols + run * width, row * cols + Math.min((run + 1) * width, cols));
        }
      });
      return { rows, cols, data };
    },
    violation: (mask) => shuffledViolation(mask, height, width, percent),
  };
}

/** The runs of `width` columns that each row would keep by itself, [rows, runs]. */
function wantedRuns(scores: Matrix, width: number, percent: number): Mask {
  const grid = blockGrid(scores, 1, width);
  const sums = blockSums(scores, grid);
  const data = new Uint8Array(sums.length);
  for (let row = 0; row < grid.rows; row++) {
    keepLargest(sums, row * grid.cols, (row + 1) * grid.cols, keptOf(percent, grid.cols), data);
  }
  return { rows: grid.rows, cols: grid.cols, data };
}

/** Groups of `height` rows, greedily by the number of marks that they share with the group's first row. */
function similarRows(marks: Mask, height: number): number[][] {
  const bits = bitRows(marks);
  const words = Math.ceil(marks.cols / 32);
  let free = Array.from({ length: marks.rows }, (_, row) => row);
  const groups: number[][] = [];
  const shared = new Float64Array(marks.rows);
  while (free.length > 0) {
    const seed = free[0]!;
    for (let i = 1; i < free.length; i++) shared[i] = sharedBits(bits, seed * words, free[i]! * words, words);
    const chosen = new Uint8Array(free.length);
    chosen[0] = 1;
    keepLargest(shared, 1, free.length, height - 1, chosen);
    groups.push(free.filter((_, i) => chosen[i] !== 0));
    free = free.filter((_, i) => chosen[i] === 0);
  }
  return groups;
}

function bitRows({ rows, cols, data }: Mask): Uint32Array {
  const words = Math.ceil(cols / 32);
  const bits = new Uint32Array(rows * words);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      if (data[row * cols + col] === 0) continue;
      const word = row * words + (col >> 5);
      bits[word] = bits[word]! | (1 << (col & 31));
    }
  }
  return bits;
}

function sharedBits(bits: Uint32Array, a: number, b: number, words: number): number {
  let count = 0;
  for (let i = 0; i < words; i++) {
    let x = bits[a + i]! & bits[b + i]!;
    x -= (x >>> 1) & 0x55555555;
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
    count += Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

function shuffledViolation(mask: Mask, height: number, width: number, percent: number): Violation | null {
  const runs = keptBlocks(mask, 1, width);
  const total = Math.ceil(mask.rows / height) * runs.cols;
  const keep = keptOf(percent, total);
  let kept = 0;
  for (const group of equalRows(runs, height)) {
    for (let run = 0; run < runs.cols; run++) {
      if (!group.some((row) => runs.data[row * runs.cols + run] !== 0)) continue;
      if (++kept <= keep) continue;
      const reason = `${keep} of ${total} blocks of ${height}x${width} may stay, but the rows cannot be grouped so that so few do`;
      return { row: group[0]!, col: run * width, reason };
    }
  }
  return null;
}

/** An order of a mask's rows in which rows that keep the same runs of `width` columns lie together, by groups of `height`. */
export const shuffledOrder = (mask: Mask, height: number, width: number): number[] =>
  equalRows(keptBlocks(mask, 1, width), height).flat();

/** Groups of `height` rows: first of rows that keep the same runs, then of those left over, in order. */
function equalRows(runs: Mask, height: number): number[][] {
  const alike = new Map<string, number[]>();
  for (let row = 0; row < runs.rows; row++) {
    const key = runs.data.subarray(row * runs.cols, (row + 1) * runs.cols).join("");
    const rows = alike.get(key);
    if (rows === undefined) alike.set(key, [row]);
    else rows.push(row);
  }
  const groups: number[][] = [];
  const left: number[] = [];
  for (const rows of alike.values()) {
    const whole = rows.length - (rows.length % height);
    for (let i = 0; i < whole; i += height) groups.push(rows.slice(i, i + height));
    left.push(...rows.slice(whole));
  }
  for (let i = 0; i < left.length; i += height) groups.push(left.slice(i, i + height));
  return groups;
}
