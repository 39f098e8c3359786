import { NonzeroError } from "../tensor/index.js";
import type { Matrix } from "./mask.js";

type Floats = Float32Array | Float64Array;

/**
 * Sets `mask[i]` to 1 for the `keep` largest of `scores[start]` … `scores[end - 1]`; of equal scores the lower index.
 * -0 equals 0. NaN must not occur. Expected time is linear.
 */
export function keepLargest(scores: Floats, start: number, end: number, keep: number, mask: Uint8Array): void {
  if (keep <= 0) return;
  if (keep >= end - start) mask.fill(1, start, end);
  else if (end - start <= 8) keepOfFew(scores, start, end, keep, mask);
  else keepOfMany(scores, start, end, keep, mask);
}

/** Keeps the scores that fewer than `keep` others come before. */
function keepOfFew(scores: Floats, start: number, end: number, keep: number, mask: Uint8Array): void {
  for (let i = start; i < end; i++) {
    const score = scores[i]!;
    let before = 0;
    for (let j = start; j < i; j++) if (scores[j]! >= score) before++;
    for (let j = i + 1; j < end; j++) if (scores[j]! > score) before++;
    if (before < keep) mask[i] = 1;
  }
}

function keepOfMany(scores: Floats, start: number, end: number, keep: number, mask: Uint8Array): void {
  const threshold = nthLargest(scores, start, end, keep);
  let ties = keep;
  for (let i = start; i < end; i++) if (scores[i]! > threshold) ties--;
  for (let i = start; i < end; i++) {
    if (scores[i]! > threshold) mask[i] = 1;
    else if (scores[i] === threshold && ties > 0) {
      mask[i] = 1;
      ties--;
    }
  }
}

/** Room for copies of a few thousand scores, so that pruning row by row or group by group allocates nothing. */
const scratch = new Float64Array(8192);

/** The n-th largest (n ≥ 1) of `scores[start]` … `scores[end - 1]`. */
function nthLargest(scores: Floats, start: number, end: number, n: number): number {
  const length = end - start;
  if (length > scratch.length) return select(scores.slice(start, end), length, length - n);
  for (let i = 0; i < length; i++) scratch[i] = scores[start + i]!;
  return select(scratch, length, length - n);
}

/** What would be at place `target` if the first `length` values were sorted. Quickselect; sorts when the pivots are unlucky. */
function select(values: Floats, length: number, target: number): number {
  let low = 0;
  let high = length - 1;
  for (let rounds = 64; high > low; rounds--) {
    if (rounds === 0) {
      values.subarray(low, high + 1).sort();
      break;
    }
    const pivot = medianOf3(values[low]!, values[(low + high) >>> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const swap = values[i]!;
      values[i++] = values[j]!;
      values[j--] = swap;
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else break;
  }
  return values[target]!;
}

const medianOf3 = (a: number, b: number, c: number): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));

/** @throws NonzeroError "shape" when the data is not rows × cols long, "invalid-argument" for NaN. */
export function checkScores({ rows, cols, data }: Matrix): void {
  if (data.length !== rows * cols) {
    throw new NonzeroError("shape", `a ${rows}×${cols} matrix has ${rows * cols} scores, not ${data.length}`);
  }
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i]!)) throw nanScore(`row ${Math.floor(i / cols)}, column ${i % cols}`);
  }
}

/** Sums of infinities of both signs are NaN. */
export function checkSums(sums: Float64Array, place: (index: number) => string): void {
  const at = sums.findIndex(Number.isNaN);
  if (at >= 0) throw nanScore(place(at));
}

const nanScore = (place: string): NonzeroError => new NonzeroError("invalid-argument", `the score of ${place} is NaN`);
