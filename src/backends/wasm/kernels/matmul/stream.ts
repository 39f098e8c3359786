import type { SparseTensor, ValueDataType } from "../../../../layouts/index.js";
import { type Entries, entriesOf, type RowRange } from "../../../specs/matmul/weights.js";

/**
 * A sparse weight as the kernels stream it. Rows form strips of `share` rows that keep the same columns (2 where the whole
 * weight allows it: blocks, V:n:m; otherwise 1); strips form blocks of about equal work; the inputs are cut into slabs of
 * `slab`. The stream holds, for each block, for each slab, for each strip of the block:
 *
 * - a header of 8 bytes: u32 number of quads, u16 number of singles, u16 number of the strip in its block;
 * - quads: 4 input numbers (i16, counted from the slab's beginning), then the values of 4 entries (for 2 rows: a0 b0 a1 b1 …);
 * - singles: 1 input number (i16), padding to 4 bytes with float32 values, then the entry's values; padded to a multiple of 4 bytes.
 *
 * Strips come by falling number of entries, so that a processor foresees the end of most loops. Every kept entry costs its value and at most 16 bits. A strip's entries near the end of a slab may be taken by the
 * slab before or after it, so that all slabs but the last have no singles.
 *
 * Before the stream: a table of 3 u32 for each block (first strip, end strip, byte offset of its stream), padded to 64 bytes; after
 * it the rows' scales (float32) when values are int8.
 */
export interface Stream {
  readonly rows: number;
  readonly cols: number;
  readonly dtype: ValueDataType;
  readonly share: 1 | 2;
  readonly slab: number;
  readonly entries: number;
  /** First strip of each block, and the number of strips. */
  readonly blocks: Uint32Array;
  /** Bytes in all. */
  readonly bytes: number;
  /** Byte offset of the scales, 0 when there are none. */
  readonly scales: number;
}

export const VALUE_BYTES: Readonly<Record<ValueDataType, number>> = { float32: 4, float16: 2, bfloat16: 2, int8: 1 };
export const HEADER_BYTES = 8;
export const quadBytes = (dtype: ValueDataType, share: number): number => 8 + 4 * share * VALUE_BYTES[dtype];
/** Where a single's values begin. */
export const singleOffset = (dtype: ValueDataType): number => Math.max(2, VALUE_BYTES[dtype]);
export const singleBytes = (dtype: ValueDataType, share: number): number =>
  Math.ceil((singleOffset(dtype) + share * VALUE_BYTES[dtype]) / 4) * 4;

/** Entries are brought into the first cache when the kernels are so many bytes before them. */
export const AHEAD = 512;
/** Kernels read beyond the last entry. */
const SLACK = 64 + AHEAD;
/** Inputs by which a strip may overstep a slab's end. */
const OVERSTEP = 32;
/** Entries of a block in one slab: enough work to make up for bringing the slab of X into the first cache. */
const ENTRIES_PER_BLOCK_SLAB = 32768;
/** Rows of a block at most: their sums rest in the second cache. */
const MOST_ROWS = 512;

const described = new WeakMap<SparseTensor, Map<string, Stream>>();
let latest: { weight: SparseTensor; range: string; entries: Entries } | null = null;

function entriesCached(weight: SparseTensor, range: RowRange): Entries {
  if (latest?.weight !== weight || latest.range !== `${range}`) {
    latest = { weight, range: `${range}`, entries: entriesOf(weight, range) };
  }
  return latest.entries;
}

/** How rows [begin, end) of `weight` are streamed with slabs of `slab` inputs, in two blocks a thread or more. */
export function streamOf(weight: SparseTensor, range: RowRange, slab: number, threads = 1): Stream {
  let known = described.get(weight);
  if (known === undefined) {
    known = new Map();
    described.set(weight, known);
  }
  const key = `${range}/${slab}/${threads}`;
  let stream = known.get(key);
  if (stream === undefined) {
    stream = describe(entriesCached(weight, range), slab, threads);
    known.set(key, stream);
  }
  return stream;
}

function describe(entries: Entries, slab: number, threads: number): Stream {
  const { rows, cols, dtype, scales } = entries;
  const share = rows % 2 === 0 && rowsPair(entries) ? 2 : 1;
  const slabs = Math.max(1, Math.ceil(cols / slab));
  const strips = rows / share;
  const blocks = Uint32Array.from(blockStarts(entries, share, strips, slabs, threads));
  let bytes = tableBytes(blocks.length - 1);
  for (let strip = 0; strip < strips; strip++) {
    const count = entries.start[strip * share + 1]! - entries.start[strip * share]!;
    let from = 0;
    for (let s = 0; s < slabs; s++) {
      const to = s === slabs - 1 ? count : cut(entries, strip * share, (s + 1) * slab);
      bytes +=
        HEADER_BYTES + ((to - from) >> 2) * quadBytes(dtype, share) + ((to - from) & 3) * singleBytes(dtype, share);
      from = to;
    }
  }
  const scalesAt = scales === null ? 0 : Math.ceil(bytes / 64) * 64;
  const end = scales === null ? bytes : scalesAt + rows * 4;
  return {
    rows,
    cols,
    dtype,
    share,
    slab,
    entries: entries.columns.length,
    blocks,
    bytes: end + SLACK,
    scales: scalesAt,
  };
}

const tableBytes = (blocks: number): number => Math.ceil((blocks * 12) / 64) * 64;

/** Whether rows 2i and 2i + 1 keep the same columns, for all i. */
function rowsPair({ rows, start, columns }: Entries): boolean {
  for (let r = 0; r < rows; r += 2) {
    const [a, b, end] = [start[r]!, start[r + 1]!, start[r + 2]!];
    if (b - a !== end - b) return false;
    for (let i = 0; i < b - a; i++) if (columns[a + i] !== columns[b + i]) return false;
  }
  return true;
}

/** Strips at which blocks begin, all but the last at a multiple of 4 rows, and their end. */
function blockStarts(
  { start, rows }: Entries,
  share: number,
  strips: number,
  slabs: number,
  threads: number,
): number[] {
  const total = start[rows]!;
  const perStrip = Math.max(1, total / share / strips / slabs);
  const most = Math.min(MOST_ROWS, Math.max(32, Math.ceil(rows / Math.max(4, 2 * threads)))) / share;
  const target = Math.min(ENTRIES_PER_BLOCK_SLAB / perStrip, most);
  // Rows cost something even when they keep nothing.
  const cost = (strip: number): number => start[strip * share]! + strip * share * 4;
  const share4 = 4 / share;
  const each = cost(strips) / Math.max(1, Math.round(strips / target));
  const starts = [0];
  for (let strip = share4; strip < strips; strip += share4) {
    const from = starts[starts.length - 1]!;
    if (cost(strip) >= each * starts.length || strip - from >= 2 * most) starts.push(strip);
  }
  return [...starts, strips];
}

/** Entries of `row` that go into the slabs before input `boundary`: a multiple of 4 where that stays near the boundary. */
function cut({ start, columns }: Entries, row: number, boundary: number): number {
  const begin = start[row]!;
  const end = start[row + 1]!;
  let low = begin;
  let high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (columns[middle]! < boundary) low = middle + 1;
    else high = middle;
  }
  const count = low - begin;
  const down = count & ~3;
  if (down === count) return count;
  // Up to 3 more entries, or up to 3 fewer.
  const up = down + 4;
  const near = (i: number): boolean =>
    i >= 0 && begin + i < end && Math.abs(columns[begin + i]! - boundary) <= OVERSTEP;
  if (count - down >= 2 && begin + up <= end && near(up - 1)) return up;
  if (near(down)) return down;
  return begin + up <= end && near(up - 1) ? up : count;
}

/** Writes the stream into `target`, `stream.bytes` zeroed bytes. */
export function writeStream(weight: SparseTensor, range: RowRange, stream: Stream, target: Uint8Array): void {
  const entries = entriesCached(weight, range);
  latest = null;
  const { share, slab, cols, dtype, blocks, rows } = stream;
  const { start, columns } = entries;
  const size = VALUE_BYTES[dtype];
  // Little-endian, as WebAssembly's memory is; everything lies at multiples of its size.
  const words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >> 2);
  const halves = new Int16Array(target.buffer, target.byteOffset, target.byteLength >> 1);
  const Bits = size === 4 ? Uint32Array : size === 2 ? Uint16Array : Uint8Array;
  const { values } = entries;
  const from = new Bits(values.buffer as ArrayBuffer, values.byteOffset, values.length);
  const into = new Bits(target.buffer as ArrayBuffer, target.byteOffset, Math.floor(target.byteLength / size));
  const slabs = Math.max(1, Math.ceil(cols / slab));
  const strips = rows / share;
  const taken = new Uint32Array(strips);
  let at = tableBytes(blocks.length - 1);
  const put = (row: number, entry: number, base: number, number: number, to: number): void => {
    const first = start[row]! + entry;
    halves[number >> 1] = columns[first]! - base;
    for (let r = 0; r < share; r++) into[to / size + r] = from[start[row + r]! + entry]!;
  };
  for (let b = 0; b + 1 < blocks.length; b++) {
    words.set([blocks[b]!, blocks[b + 1]!, at], b * 3);
    for (let s = 0; s < slabs; s++) {
      const spans: { strip: number; begin: number; end: number }[] = [];
      for (let strip = blocks[b]!; strip < blocks[b + 1]!; strip++) {
        const row = strip * share;
        const begin = taken[strip]!;
        const end = s === slabs - 1 ? start[row + 1]! - start[row]! : cut(entries, row, (s + 1) * slab);
        taken[strip] = end;
        spans.push({ strip, begin, end });
      }
      spans.sort((a, b) => b.end - b.begin - (a.end - a.begin));
      for (const { strip, begin, end } of spans) {
        const row = strip * share;
        const quads = (end - begin) >> 2;
        words[at >> 2] = quads;
        halves[(at >> 1) + 2] = (end - begin) & 3;
        halves[(at >> 1) + 3] = strip - blocks[b]!;
        at += HEADER_BYTES;
        let entry = begin;
        for (let q = 0; q < quads; q++, at += quadBytes(dtype, share)) {
          for (let i = 0; i < 4; i++, entry++) put(row, entry, s * slab, at + 2 * i, at + 8 + i * share * size);
        }
        for (; entry < end; entry++, at += singleBytes(dtype, share)) {
          put(row, entry, s * slab, at, at + singleOffset(dtype));
        }
      }
    }
  }
  if (entries.scales !== null)
    new Float32Array(target.buffer, target.byteOffset + stream.scales, rows).set(entries.scales);
}
