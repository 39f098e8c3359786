import type { Entries } from "../../../specs/matmul/weights.js";
import { type Form, wordsOf } from "./quantize.js";
import { cut, type KeptWord, levelsOfWord, wordsKept } from "./strips.js";

/**
 * Sparse weights for panels of many tokens: blocks of rows; in a block slab after slab of words; in a slab strip after strip of `share` rows
 * that share the words they keep.
 *
 * The stream begins with a table, 12 bytes a block: its first row, its rows (a multiple of `share`), and where its strips begin. A strip in
 * a slab is its number of twos (uint32) and so many twos of kept words: two uint16 numbers of words, counted from the slab's first, then
 * the first word of each of the rows, then the second. An odd word has a word of zeros beside it.
 */
export interface Stream {
  readonly form: Form;
  readonly share: 1 | 2;
  /** Words of a row of x, and of a slab. */
  readonly words: number;
  readonly slab: number;
  /** First rows of the blocks, and the end. */
  readonly blocks: readonly number[];
  /** The kept words of each strip, ascending. */
  readonly kept: readonly (readonly KeptWord[])[];
  readonly bytes: number;
}

export const BLOCK_BYTES = 12;
/** Bytes of a two. */
export const twoBytes = (share: number): number => 4 + 8 * share;

/** Rows of a block, about. */
const BLOCK = 64;

/** The form, and whether one row or two go together, for which least is done: a word of two rows takes two dot products for one load of x. */
export function chooseWords(entries: Entries, forms: readonly Form[]): Pick<Stream, "form" | "share" | "kept"> {
  let best: (Pick<Stream, "form" | "share" | "kept"> & { readonly cost: number }) | null = null;
  for (const form of forms) {
    for (const share of [1, 2] as const) {
      const kept = stripsOf(entries, form, share);
      const words = kept.reduce((sum, list) => sum + list.length, 0);
      const cost = words * (share === 2 ? 1 : 0.56) * (form === "sixes" ? 1.05 : 1);
      if (best === null || cost < best.cost) best = { form, share, kept, cost };
    }
  }
  return best!;
}

function stripsOf({ rows, cols, start, columns }: Entries, form: Form, share: number): KeptWord[][] {
  const used = new Uint8Array(cols + 4);
  return Array.from({ length: Math.ceil(rows / share) }, (_, s) => {
    used.fill(0);
    const last = Math.min(rows, (s + 1) * share);
    for (let i = start[s * share]!; i < start[last]!; i++) used[columns[i]!] = 1;
    return wordsKept(used, cols, form);
  });
}

export function streamOf(entries: Entries, choice: ReturnType<typeof chooseWords>, slab: number): Stream {
  const { form, share, kept } = choice;
  const words = wordsOf(form, entries.cols);
  const counts = kept.map((list) => list.length);
  const blocks = cut(counts, Math.ceil((kept.length * share) / BLOCK)).map((strip) => strip * share);
  const distinct = blocks.filter((row, i) => i === 0 || row !== blocks[i - 1]);
  const slabs = Math.ceil(words / slab);
  let twos = 0;
  for (const list of kept) for (const [begin, end] of slabsOf(list, slab, slabs)) twos += (end - begin + 1) >> 1;
  const bytes = BLOCK_BYTES * distinct.length + 4 * kept.length * slabs + twos * twoBytes(share) + 8;
  return { form, share, words, slab, blocks: distinct, kept, bytes };
}

/** Which of a strip's words lie in each slab. */
function slabsOf(list: readonly KeptWord[], slab: number, slabs: number): [begin: number, end: number][] {
  let at = 0;
  return Array.from({ length: slabs }, (_, s) => {
    const begin = at;
    while (at < list.length && list[at]!.word < (s + 1) * slab) at++;
    return [begin, at];
  });
}

export function writeStream(stream: Stream, entries: Entries, target: Uint8Array): void {
  const { form, share, words, slab, blocks, kept } = stream;
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const lines = Array.from({ length: share }, () => new Int8Array(entries.cols));
  const slabs = Math.ceil(words / slab);
  const size = levelsOfWord(form);
  const put = (line: Int8Array, { columns }: KeptWord, at: number): void =>
    columns.forEach((column, i) => {
      const level = column < 0 ? 0 : line[column]!;
      if (size === 4) view.setInt8(at + i, level);
      else view.setInt16(at + 2 * i, level, true);
    });
  let at = BLOCK_BYTES * (blocks.length - 1);
  for (let b = 0; b + 1 < blocks.length; b++) {
    const [first, last] = [blocks[b]! / share, blocks[b + 1]! / share];
    [first * share, (last - first) * share, at].forEach((word, i) => {
      view.setUint32(BLOCK_BYTES * b + 4 * i, word, true);
    });
    const ranges = kept.slice(first, last).map((list) => slabsOf(list, slab, slabs));
    for (let s = 0; s < slabs; s++) {
      for (let strip = first; strip < last; strip++) {
        const [begin, end] = ranges[strip - first]![s]!;
        const list = kept[strip]!;
        lines.forEach((line, r) => {
          fillRow(entries, strip * share + r, line);
        });
        view.setUint32(at, (end - begin + 1) >> 1, true);
        at += 4;
        for (let i = begin; i < end; i += 2) {
          const two = [list[i]!, i + 1 < end ? list[i + 1]! : null];
          two.forEach((word, u) => {
            view.setUint16(at + 2 * u, (word ?? list[i]!).word - s * slab, true);
            if (word !== null) lines.forEach((line, r) => put(line, word, at + 4 + 4 * (u * share + r)));
          });
          at += twoBytes(share);
        }
      }
    }
  }
}

function fillRow({ rows, start, columns, values }: Entries, row: number, line: Int8Array): void {
  line.fill(0);
  if (row < rows) for (let i = start[row]!; i < start[row + 1]!; i++) line[columns[i]!] = values[i]!;
}
