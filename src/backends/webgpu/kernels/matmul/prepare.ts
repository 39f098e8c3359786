import type { SparseTensor, ValueDataType } from "../../../../layouts/index.js";
import { type Entries, entriesOf } from "../../../specs/matmul/weights.js";
import type { Form } from "../parts.js";
import { blockDepth, type WeightFill } from "./fill-weights.js";
import { lineOf, linePitch } from "./lines.js";
import { type Tile, tileText } from "./tiling.js";

/** A sparse weight, or some of its rows, in the order in which a tile kernel reads it. */
export interface TileForms {
  readonly fill: WeightFill;
  /** What the forms depend on beside the weight and its rows. */
  readonly key: string;
  readonly forms: { readonly w: Form; readonly kept: Form; readonly starts?: Form };
  /** Steps along K that each tile takes; the forms with `starts` say it themselves. */
  readonly steps: number;
  /** Some k of the last steps are none. */
  readonly padded: boolean;
}

const BYTES: Readonly<Record<ValueDataType, number>> = { float32: 4, float16: 2, bfloat16: 2, int8: 1 };

const up = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** The entries of a weight, decoded once for all that is prepared from it at a time. */
const known = new WeakMap<SparseTensor, Entries>();
export function allEntries(weight: SparseTensor): Entries {
  const entries = known.get(weight) ?? entriesOf(weight, [0, weight.stored.rows]);
  known.set(weight, entries);
  return entries;
}

export const formOf = (bytes: number, fill: Form["fill"]): Form => ({ bytes, fill });

/** Writes numbers or raw bits of `entries.values` at places counted in elements. */
export function valueWriter({ dtype }: Entries, target: Uint8Array): (at: number, value: number) => void {
  const { buffer, byteOffset, byteLength } = target;
  const length = Math.floor(byteLength / BYTES[dtype]);
  const view =
    dtype === "float32"
      ? new Float32Array(buffer, byteOffset, length)
      : dtype === "int8"
        ? new Int8Array(buffer, byteOffset, length)
        : new Uint16Array(buffer, byteOffset, length);
  return (at, value) => {
    view[at] = value;
  };
}

export const words = (target: Uint8Array): Uint32Array =>
  new Uint32Array(target.buffer, target.byteOffset, target.byteLength >> 2);

export const bytesPerValue = (dtype: ValueDataType): number => BYTES[dtype];

/** Rows `begin` to before `end`. */
export function entriesBetween(entries: Entries, begin: number, end: number): Entries {
  if (begin === 0 && end === entries.rows) return entries;
  const [first, last] = [entries.start[begin]!, entries.start[end]!];
  return {
    ...entries,
    rows: end - begin,
    start: entries.start.subarray(begin, end + 1).map((at) => at - first),
    columns: entries.columns.subarray(first, last),
    values: entries.values.subarray(first, last),
    scales: entries.scales?.subarray(begin, end) ?? null,
  };
}

/** The rows in another order: row `order[i]` comes at i. */
export function entriesInOrder(entries: Entries, order: ArrayLike<number>): Entries {
  const { rows, start, columns, values } = entries;
  const to = { start: new Uint32Array(rows + 1), columns: columns.slice(), values: values.slice() };
  for (let place = 0; place < rows; place++) {
    const [from, end] = [start[order[place]!]!, start[order[place]! + 1]!];
    const at = to.start[place]!;
    to.columns.set(columns.subarray(from, end), at);
    to.values.set(values.subarray(from, end) as Float32Array, at);
    to.start[place + 1] = at + end - from;
  }
  return { ...entries, ...to, scales: null };
}

/** V:n:m whose bands hold whole threads: the k that each band keeps in each step. */
export function prepareBands(
  entries: Entries,
  tile: Tile,
  { band, slots }: { band: number; slots: number },
): TileForms {
  const { rows, cols, start, columns, values, dtype } = entries;
  const { depth } = tile;
  const steps = up(Math.ceil(cols / depth), tile.unroll);
  const tiles = Math.ceil(rows / tile.rows);
  // Indices for each thread's rows, or, where a band has the whole tile, once.
  const height = band >= tile.rows ? tile.rows : tile.threadRows;
  const perStep = (tile.rows / height) * slots;
  const key = `matmul/bands/${tileText(tile)}/${height}`;
  const w = formOf(tiles * steps * slots * tile.rows * BYTES[dtype], (target) => {
    const write = valueWriter(entries, target);
    for (let row = 0; row < rows; row++) {
      const inTile = row % tile.rows;
      const tileFrom = ((row - inTile) / tile.rows) * steps;
      let [before, slot] = [-1, 0];
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const step = Math.floor(columns[i]! / depth);
        slot = step === before ? slot + 1 : 0;
        before = step;
        write(((tileFrom + step) * slots + slot) * tile.rows + inTile, values[i]!);
      }
    }
  });
  const kept = formOf(tiles * steps * perStep * 4, (target) => {
    const places = words(target);
    for (let row = 0; row < rows; row += height) {
      const inTile = row % tile.rows;
      const tileFrom = ((row - inTile) / tile.rows) * steps;
      let [before, slot] = [-1, 0];
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const step = Math.floor(columns[i]! / depth);
        slot = step === before ? slot + 1 : 0;
        before = step;
        const at = (tileFrom + step) * perStep + (inTile / height) * slots + slot;
        places[at] = lineOf(tile, columns[i]! % depth) * linePitch(tile, tile.tokens);
      }
    }
  });
  const padded = cols % (depth * tile.unroll) !== 0;
  return { fill: { kind: "bands", values: dtype, slots, band: height }, key, forms: { w, kept }, steps, padded };
}

/** The k that each row tile keeps in any of its rows, in runs of `run`. */
interface TileColumns {
  /** First run of each tile, and the number of all. */
  readonly starts: Uint32Array;
  /** Number of the run: first k / run. */
  readonly runs: Uint32Array;
}

function columnsOfTiles({ rows, cols, start, columns }: Entries, height: number, run: number): TileColumns {
  const tiles = Math.ceil(rows / height);
  const starts = new Uint32Array(tiles + 1);
  const runs: number[] = [];
  const marks = new Uint32Array(Math.ceil(cols / run));
  for (let tile = 0; tile < tiles; tile++) {
    const end = start[Math.min(rows, (tile + 1) * height)]!;
    for (let i = start[tile * height]!; i < end; i++) marks[Math.floor(columns[i]! / run)] = tile + 1;
    for (let r = 0; r < marks.length; r++) if (marks[r] === tile + 1) runs.push(r);
    starts[tile + 1] = runs.length;
  }
  return { starts, runs: Uint32Array.from(runs) };
}

/** Share of all (k, row tile) that "columns" multiplies. */
export function columnsDensity(entries: Entries, height: number): number {
  const { starts, runs } = columnsOfTiles(entries, height, 1);
  return runs.length / Math.max(1, (starts.length - 1) * entries.cols);
}

/** Blocks and whole columns: every row tile has a list of its k. */
export function prepareColumns(entries: Entries, tile: Tile, run: 1 | 4): TileForms {
  const { rows, cols, start, columns, values, dtype } = entries;
  const { starts, runs } = columnsOfTiles(entries, tile.rows, run);
  const tiles = starts.length - 1;
  const perStep = tile.depth / run;
  const first = new Uint32Array(tiles + 1);
  for (let t = 0; t < tiles; t++)
    first[t + 1] = first[t]! + up(Math.ceil((starts[t + 1]! - starts[t]!) / perStep), tile.unroll);
  const steps = first[tiles]!;
  const key = `matmul/columns/${tileText(tile)}/${run}`;
  const w = formOf(Math.max(16, steps * tile.depth * tile.rows * BYTES[dtype]), (target) => {
    const write = valueWriter(entries, target);
    const placeOf = new Uint32Array(Math.ceil(cols / run));
    for (let t = 0; t < tiles; t++) {
      for (let i = starts[t]!; i < starts[t + 1]!; i++) placeOf[runs[i]!] = (i - starts[t]!) * run;
      for (let row = t * tile.rows; row < Math.min(rows, (t + 1) * tile.rows); row++) {
        for (let i = start[row]!; i < start[row + 1]!; i++) {
          const place = placeOf[Math.floor(columns[i]! / run)]! + (columns[i]! % run);
          write((first[t]! * tile.depth + place) * tile.rows + row - t * tile.rows, values[i]!);
        }
      }
    }
  });
  const kept = formOf(Math.max(16, steps * perStep * 4), (target) => {
    const list = words(target).fill(cols);
    for (let t = 0; t < tiles; t++) {
      for (let i = starts[t]!; i < starts[t + 1]!; i++) list[first[t]! * perStep + i - starts[t]!] = runs[i]! * run;
    }
  });
  const startsForm = formOf(up(4 * first.length, 16), (target) => {
    words(target).set(first);
  });
  return {
    fill: { kind: "columns", values: dtype, run },
    key,
    forms: { w, kept, starts: startsForm },
    steps: 0,
    padded: cols % run !== 0 || runs.length !== steps * perStep,
  };
}

/** Any nonzeros: bits and values by the blocks that threads expand. With `pairs`, two of each four. */
export function prepareExpand(entries: Entries, tile: Tile, pairs: boolean): TileForms {
  const { rows, cols, start, columns, values, dtype } = entries;
  const { depth } = tile;
  const steps = up(Math.ceil(cols / depth), tile.unroll);
  const tiles = Math.ceil(rows / tile.rows);
  const deep = blockDepth(tile);
  const quads = tile.rows / 4;
  const blocks = (depth / deep) * quads;
  /** The block of a weight, and its bit there. */
  const placeOf = (row: number, k: number): readonly [block: number, bit: number] => {
    const quad = Math.floor((row % tile.rows) / 4);
    const step = Math.floor(row / tile.rows) * steps + Math.floor(k / depth);
    return [step * blocks + Math.floor((k % depth) / deep) * quads + quad, (row % 4) * deep + (k % deep)];
  };
  const bitsOf = (): Uint32Array => {
    const bits = new Uint32Array(tiles * steps * blocks);
    for (let row = 0; row < rows; row++) {
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const [block, bit] = placeOf(row, columns[i]!);
        bits[block] = bits[block]! | (1 << bit);
      }
    }
    return pairs ? bits.map(withPairs) : bits;
  };
  /** Where each block's values begin. */
  const placesOf = (bits: Uint32Array): Uint32Array => {
    let next = 0;
    return bits.map((block, i) => {
      const place = pairs ? 8 * i : next;
      next += popcount(block);
      return place;
    });
  };
  const key = `matmul/expand/${tileText(tile)}${pairs ? "/pairs" : ""}`;
  const kept = formOf((pairs ? 4 : 8) * tiles * steps * blocks, (target) => {
    const bits = bitsOf();
    const places = placesOf(bits);
    const list = words(target);
    bits.forEach((block, i) => {
      if (pairs) list[i] = block;
      else list.set([block, places[i]!], 2 * i);
    });
  });
  const count = pairs ? 8 * tiles * steps * blocks : values.length;
  const w = formOf(up(count * BYTES[dtype], 4) + 16, (target) => {
    const write = valueWriter(entries, target);
    const bits = bitsOf();
    const places = placesOf(bits);
    for (let row = 0; row < rows; row++) {
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const [block, bit] = placeOf(row, columns[i]!);
        write(places[block]! + popcount(bits[block]! & ((1 << bit) - 1)), values[i]!);
      }
    }
  });
  const padded = cols % (depth * tile.unroll) !== 0;
  return { fill: { kind: "expand", values: dtype, pairs }, key, forms: { w, kept }, steps, padded };
}

function popcount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Rows of four k that keep fewer than two keep more, whose values are zero. */
function withPairs(block: number): number {
  let bits = block;
  for (let bit = 0; bit < 16; bit++) if (popcount((bits >> (bit & 12)) & 15) < 2) bits |= 1 << bit;
  return bits;
}
