import type { Tensor } from "../../../../tensor/index.js";
import type { Entries } from "../../../specs/matmul/weights.js";
import { type Form, PAIRS_OF_FOUR, wordsOf } from "./quantize.js";

/**
 * Weights as bytes for a few tokens: strips of rows that share the words they keep, vectorised over the rows.
 *
 * A strip is `vectors` vectors high. For each kept word it has that many vectors of 16 bytes:
 * - `quads`: four rows, the four levels of each as int8;
 * - `pairs` and `sixes`: eight rows; lane i is two int16, each with a level of row i + 128 in its low byte and a level of row i + 4 in its
 *   high byte. So a product of x with the lanes is low + 256 · high, one of x with lanes >> 8 is high, and neither was widened.
 */
export interface Strips {
  readonly form: Form;
  readonly vectors: number;
  /** The kept words of each strip, ascending; null where all strips keep all words. */
  readonly kept: readonly (readonly KeptWord[])[] | null;
  readonly count: number;
  /** Words of a row of x. */
  readonly words: number;
}

export interface KeptWord {
  readonly word: number;
  /** The columns whose levels it holds; -1 for none. */
  readonly columns: readonly number[];
}

export const rowsOfVector = (form: Form): number => (form === "quads" ? 4 : 8);
export const levelsOfWord = (form: Form): number => (form === "quads" ? 4 : 2);

/** All words of all rows. */
export function denseStrips(form: Form, M: number, K: number): Strips {
  const vectors = form === "quads" ? 8 : 4;
  return { form, vectors, kept: null, count: Math.ceil(M / (vectors * rowsOfVector(form))), words: wordsOf(form, K) };
}

/** The words that strips of rows keep, in the form and height for which the least is done; null where rows share too little. */
export function sparseStrips(entries: Entries, forms: readonly Form[]): Strips | null {
  let best: Strips | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const form of forms) {
    if (4 * wordsOf(form, entries.cols) > 65536) continue;
    for (const vectors of form === "quads" ? [8, 4, 2, 1] : [4, 2, 1]) {
      const height = vectors * rowsOfVector(form);
      const count = Math.ceil(entries.rows / height);
      const kept = Array.from({ length: count }, (_, s) => keptWords(entries, s * height, height, form));
      const words = kept.reduce((sum, list) => sum + list.length, 0);
      if (entries.columns.length < MOST_PADDING * words * height * levelsOfWord(form)) continue;
      const cost = words * (OVERHEAD + vectors * (form === "quads" ? 2 : 6)) * (form === "sixes" ? 1.05 : 1);
      if (cost >= least) continue;
      least = cost;
      best = { form, vectors, kept, count, words: wordsOf(form, entries.cols) };
    }
  }
  return best;
}
/** Kept weights that a strip's words must hold at least, of all that they could. */
const MOST_PADDING = 0.75;
/** Instructions of a word besides those of its vectors. */
const OVERHEAD = 5;

/** The words that rows [first, first + height) keep. */
function keptWords({ rows, cols, start, columns }: Entries, first: number, height: number, form: Form): KeptWord[] {
  const used = new Uint8Array(cols + 4);
  const last = Math.min(rows, first + height);
  for (let i = start[first]!; i < start[last]!; i++) used[columns[i]!] = 1;
  return wordsKept(used, cols, form);
}

/** Words are shared by all rows that keep the same columns of a place: lists of them are pointers alone. */
const known: Record<Form, Map<number, readonly KeptWord[]>> = { pairs: new Map(), quads: new Map(), sixes: new Map() };

/** The fewest words that hold all used columns of a row of `cols`; `used` goes on for 4 more. */
export function wordsKept(used: Uint8Array, cols: number, form: Form): KeptWord[] {
  const kept: KeptWord[] = [];
  const each = form === "pairs" ? 2 : 4;
  for (let at = 0; at < cols; at += each) {
    let mask = 0;
    for (let i = 0; i < each; i++) if (used[at + i]!) mask |= 1 << i;
    if (mask === 0) continue;
    let words = known[form].get(16 * at + mask);
    if (words === undefined) {
      words = wordsOfMask(at, mask, form);
      known[form].set(16 * at + mask, words);
    }
    for (const word of words) kept.push(word);
  }
  return kept;
}

/** The words for the columns at + i whose bit i is set. */
function wordsOfMask(at: number, mask: number, form: Form): KeptWord[] {
  const has = (i: number): boolean => ((mask >> i) & 1) === 1;
  if (form !== "sixes") {
    const each = levelsOfWord(form);
    return [{ word: at / each, columns: Array.from({ length: each }, (_, i) => (has(i) ? at + i : -1)) }];
  }
  const list = [0, 1, 2, 3].filter(has);
  const words: KeptWord[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const [a, b] = [list[i]!, list[i + 1]];
    const pair = PAIRS_OF_FOUR.findIndex(([p, q]) => (b === undefined ? p === a || q === a : p === a && q === b));
    const columns = PAIRS_OF_FOUR[pair]!.map((c) => (c === a || c === b ? at + c : -1));
    words.push({ word: (at / 4) * PAIRS_OF_FOUR.length + pair, columns });
  }
  return words.sort((x, y) => x.word - y.word);
}

/** Where a strip's parts lie in a `StripImage`, from its start. */
export const STRIP_BYTES = 16;

/** What `writeStrips` writes: bounds of chunks, a table of strips, uint16 offsets in x of the kept words in bytes, and the vectors. */
export interface StripImage {
  readonly bytes: number;
  /** Strips [bounds[c], bounds[c + 1]) are chunk c's: equal shares of the words. */
  readonly chunks: number;
  readonly table: number;
  readonly numbers: number;
  readonly vectors: number;
}

export function stripImage(strips: Strips, chunks: number): StripImage {
  const { count, kept, words, vectors } = strips;
  const total = kept === null ? count * words : kept.reduce((sum, list) => sum + list.length, 0);
  const shares = Math.min(chunks, count);
  const table = align(4 * (shares + 1));
  const numbers = align(table + STRIP_BYTES * count);
  const at = align(numbers + (kept === null ? 0 : 2 * (total + 2)));
  return { bytes: at + 16 * vectors * total, chunks: shares, table, numbers, vectors: at };
}
const align = (n: number): number => (n + 63) & ~63;

/** Levels by row and column; `fill` writes those of one row into a line of zeros. */
export type Rows = (row: number, line: Int8Array) => void;

export function writeStrips(strips: Strips, image: StripImage, M: number, K: number, rows: Rows, target: Uint8Array) {
  const { form, vectors, kept, count, words } = strips;
  const height = vectors * rowsOfVector(form);
  const ints = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >> 2);
  const halves = new Uint16Array(target.buffer, target.byteOffset, target.byteLength >> 1);
  const counts = kept === null ? new Array<number>(count).fill(words) : kept.map((list) => list.length);
  cut(counts, image.chunks).forEach((bound, c) => {
    ints[c] = bound;
  });
  const each = levelsOfWord(form);
  const all: readonly KeptWord[] =
    kept === null
      ? Array.from({ length: words }, (_, word) => ({
          word,
          columns: Array.from({ length: each }, (_, i) => (each * word + i < K ? each * word + i : -1)),
        }))
      : [];
  const lines = Array.from({ length: height }, () => new Int8Array(K));
  let number = image.numbers / 2;
  let at = image.vectors;
  for (let s = 0; s < count; s++) {
    const list = kept?.[s] ?? all;
    ints.set([list.length, 2 * number, at], (image.table + STRIP_BYTES * s) / 4);
    lines.forEach((line, r) => {
      line.fill(0);
      if (s * height + r < M) rows(s * height + r, line);
    });
    for (const { word, columns } of list) {
      if (kept !== null) halves[number++] = 4 * word;
      for (let v = 0; v < vectors; v++, at += 16) writeVector(form, lines, v, columns, target, at);
    }
  }
}

function writeVector(
  form: Form,
  lines: readonly Int8Array[],
  v: number,
  columns: readonly number[],
  target: Uint8Array,
  at: number,
): void {
  const level = (row: number, i: number): number => (columns[i]! < 0 ? 0 : lines[row]![columns[i]!]!);
  for (let lane = 0; lane < 4; lane++) {
    if (form === "quads") for (let i = 0; i < 4; i++) target[at + 4 * lane + i] = level(4 * v + lane, i);
    else
      for (let i = 0; i < 2; i++) {
        target[at + 4 * lane + 2 * i] = level(8 * v + lane, i) + 128;
        target[at + 4 * lane + 2 * i + 1] = level(8 * v + 4 + lane, i);
      }
  }
}

/** Cuts a list of counts into `parts` runs of nearly the same sum: parts + 1 bounds. */
export function cut(counts: readonly number[], parts: number): number[] {
  const total = counts.reduce((a, b) => a + b, 0) + counts.length;
  const bounds = [0];
  let done = 0;
  counts.forEach((count, s) => {
    done += count + 1;
    while (bounds.length < parts && done * parts >= bounds.length * total) bounds.push(s + 1);
  });
  bounds.push(counts.length);
  return bounds;
}

/** The levels of a dense weight [K, M], counted from -128 where they are uint8. */
export function denseLevels(weight: Tensor): Rows {
  const [K, M] = weight.shape as [number, number];
  const levels = weight.data as Int8Array | Uint8Array;
  const offset = weight.dtype === "uint8" ? 128 : 0;
  return (row, line) => {
    for (let k = 0; k < K; k++) line[k] = levels[k * M + row]! - offset;
  };
}

export function sparseLevels({ start, columns, values }: Entries): Rows {
  return (row, line) => {
    for (let i = start[row]!; i < start[row + 1]!; i++) line[columns[i]!] = values[i]!;
  };
}
