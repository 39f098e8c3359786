import { NonzeroError } from "../tensor/index.js";
import { keptBlocks } from "./blocks.js";
import type { Mask, Matrix, Violation } from "./mask.js";
import type { Pattern } from "./pattern.js";
import { checkScores, checkSums, keepLargest } from "./top.js";

/**
 * `V:n:m`: of each run of m inputs, n are kept, and V neighbouring rows keep the same ones (rows counted in bands from row 0;
 * the last band may have fewer). A last run of r < m inputs keeps ceil(n × r / m).
 */
export function vnm(v: number, n: number, m: number): Pattern {
  if (v < 1 || v > 4096) throw new NonzeroError("invalid-argument", `V:n:m needs 1 ≤ V ≤ 4096, not ${v}`);
  return bandPattern("v:n:m", `${v}:${n}:${m}`, v, n, m);
}

/** Bands of v rows that share their n:m choice, under any name. */
export function bandPattern(kind: string, text: string, v: number, n: number, m: number): Pattern {
  checkGroup(n, m);
  return {
    kind,
    text,
    density: n / m,
    select(scores) {
      checkScores(scores);
      const { rows, cols, data } = scores;
      const mask = new Uint8Array(data.length);
      if (v === 1) {
        keepGroups(data, rows, cols, n, m, mask);
        return { rows, cols, data: mask };
      }
      const bands = Math.ceil(rows / v);
      const sums = bandSums(scores, v);
      checkSums(sums, (i) => `rows from ${Math.floor(i / cols) * v}, column ${i % cols}`);
      const shared = new Uint8Array(bands * cols);
      keepGroups(sums, bands, cols, n, m, shared);
      for (let row = 0; row < rows; row++) {
        const band = Math.floor(row / v);
        mask.set(shared.subarray(band * cols, (band + 1) * cols), row * cols);
      }
      return { rows, cols, data: mask };
    },
    violation: (mask) => bandViolation(mask, v, n, m),
  };
}

/** Keeps the best n of each run of m columns of each row. */
export function keepGroups(
  scores: Float32Array | Float64Array,
  rows: number,
  cols: number,
  n: number,
  m: number,
  mask: Uint8Array,
): void {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col += m) {
      const length = Math.min(m, cols - col);
      const start = row * cols + col;
      keepLargest(scores, start, start + length, keptOfRun(n, m, length), mask);
    }
  }
}

/** What a run of `length` ≤ m columns keeps. */
const keptOfRun = (n: number, m: number, length: number): number => Math.ceil((n * length) / m);

/** The first run of m columns that keeps more than n:m allows. */
export function overfullGroup({ rows, cols, data }: Mask, n: number, m: number) {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col += m) {
      const length = Math.min(m, cols - col);
      const keep = keptOfRun(n, m, length);
      let kept = 0;
      for (let i = row * cols + col; i < row * cols + col + length; i++) if (data[i] !== 0) kept++;
      if (kept > keep) return { row, col, kept, keep, length };
    }
  }
  return null;
}

/** The first band of v rows that together keep more columns of a run than n:m allows. */
export function bandViolation(mask: Mask, v: number, n: number, m: number): Violation | null {
  const { rows, cols, data } = mask;
  for (let top = 0; top < rows; top += v) {
    const bottom = Math.min(top + v, rows);
    const band = { rows: bottom - top, cols, data: data.subarray(top * cols, bottom * cols) };
    const found = overfullGroup(v === 1 ? band : keptBlocks(band, v, 1), n, m);
    if (found === null) continue;
    const { col, kept, keep, length } = found;
    const who = v === 1 ? "a row" : `rows ${top} to ${bottom - 1} together`;
    return { row: top, col, reason: `${who} may keep ${keep} of ${length} inputs and keeps ${kept}` };
  }
  return null;
}

/** @throws NonzeroError "invalid-argument". */
export function checkGroup(n: number, m: number): void {
  if (m < 2 || m > 4096 || n < 1 || n > m) {
    throw new NonzeroError("invalid-argument", `n:m needs 1 ≤ n ≤ m and 2 ≤ m ≤ 4096, not ${n}:${m}`);
  }
}

/** Sums over bands of v rows, [ceil(rows / v), cols]. */
function bandSums({ rows, cols, data }: Matrix, v: number): Float64Array {
  const sums = new Float64Array(Math.ceil(rows / v) * cols);
  for (let row = 0; row < rows; row++) {
    const band = Math.floor(row / v) * cols;
    for (let col = 0; col < cols; col++) sums[band + col] = sums[band + col]! + data[row * cols + col]!;
  }
  return sums;
}
