import type { SparseTensor } from "../../../../layouts/index.js";
import type { Entries } from "../../../specs/matmul/weights.js";
import type { Form } from "../parts.js";
import { allEntries, bytesPerValue, entriesBetween, formOf, valueWriter, words } from "./prepare.js";
import type { RowForm } from "./rows.js";

/** A sparse weight, or some of its rows, compressed, as `rowShader` reads it. */
export interface PreparedRows {
  readonly form: Exclude<RowForm, { kind: "dense" }>;
  /** What the forms depend on beside the weight and its rows. */
  readonly key: string;
  readonly forms: Readonly<Record<string, Form>>;
  readonly pitch: number;
  readonly vectors: number;
}

const up = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** Makes the row form that stays closest to a layout's own bytes, of any rows that begin where a group or block does. */
export function rowsPreparer(tensor: SparseTensor): (begin: number, end: number) => PreparedRows {
  const { layout } = tensor.stored;
  const entries = allEntries(tensor);
  const rows = (begin: number, end: number): Entries => entriesBetween(entries, begin, end);
  const numbers = (layout.match(/\d+/g) ?? []).map(Number) as [number, number, number];
  const grouped = (v: number, n: number, m: number) => (begin: number, end: number) =>
    prepareGroups(rows(begin, end), v, n, m);
  if (layout === "semi-structured") return grouped(1, 2, 4);
  if (layout.startsWith("n:m:") && numbers[1] <= 256) return grouped(1, numbers[0], numbers[1]);
  if (layout.startsWith("v:n:m:") && numbers[2] <= 256) return grouped(...numbers);
  if (/^bsr:\d+x\d+$/.test(layout) && numbers[1] % 4 === 0)
    return (begin, end) => prepareBlocks(rows(begin, end), blocksBetween(tensor, begin, end, numbers[0]), numbers);
  const { columns, cols } = entries;
  const dense = columns.length * 16 > entries.rows * cols && cols <= 65535;
  const prepare = dense ? prepareBitmask : prepareCsr;
  return (begin, end) => prepare(rows(begin, end));
}

/** V:n:m: the layout's values and bits, rows filled up to whole vectors and words. */
function prepareGroups(entries: Entries, v: number, n: number, m: number): PreparedRows {
  const { rows, cols, start, columns, values, dtype } = entries;
  const slots = up(Math.ceil(cols / m) * n, 4);
  const bits = 32 - Math.clz32(m - 1);
  const pitch = Math.ceil((slots * bits) / 32);
  /** Calls `each` with the slot of every entry of a row. */
  const eachSlot = (row: number, each: (slot: number, i: number) => void): void => {
    let [group, slot] = [-1, 0];
    for (let i = start[row]!; i < start[row + 1]!; i++) {
      const own = Math.floor(columns[i]! / m);
      slot = own === group ? slot + 1 : own * n;
      group = own;
      each(slot, i);
    }
  };
  const w = formOf(Math.max(4, rows * slots * bytesPerValue(dtype)), (target) => {
    const write = valueWriter(entries, target);
    for (let row = 0; row < rows; row++) eachSlot(row, (slot, i) => write(row * slots + slot, values[i]!));
  });
  const kept = formOf(4 * Math.ceil(rows / v) * pitch, (target) => {
    const list = words(target);
    for (let row = 0; row < rows; row += v) {
      eachSlot(row, (slot, i) => {
        const [word, shift] = [(row / v) * pitch + ((slot * bits) >> 5), (slot * bits) & 31];
        const code = columns[i]! % m;
        list[word] = list[word]! | (code << shift);
        if (shift + bits > 32) list[word + 1] = list[word + 1]! | (code >>> (32 - shift));
      });
    }
  });
  const form = { kind: "groups", values: dtype, n, m, band: v } as const;
  return { form, key: "matmul/rows/groups", forms: { w, kept }, pitch, vectors: slots / 4 };
}

const writeIndices = (target: Uint8Array, bits: 16 | 32, list: ArrayLike<number>): void =>
  bits === 16
    ? new Uint16Array(target.buffer, target.byteOffset, target.byteLength >> 1).set(list)
    : words(target).set(list);

function prepareCsr(entries: Entries): PreparedRows {
  const { cols, start, columns, values, dtype } = entries;
  const indexBits = cols <= 65536 ? 16 : 32;
  const w = formOf(Math.max(4, up(values.length * bytesPerValue(dtype), 4)), (target) => {
    const write = valueWriter(entries, target);
    for (let i = 0; i < values.length; i++) write(i, values[i]!);
  });
  const kept = formOf(Math.max(4, up((columns.length * indexBits) / 8, 4)), (target) =>
    writeIndices(target, indexBits, columns),
  );
  const starts = formOf(4 * start.length, (target) => words(target).set(start));
  const form = { kind: "csr", values: dtype, indexBits } as const;
  return { form, key: "matmul/rows/csr", forms: { w, kept, starts }, pitch: 0, vectors: 0 };
}

function prepareBitmask(entries: Entries): PreparedRows {
  const { rows, cols, start, columns, values, dtype } = entries;
  const pitch = Math.ceil(cols / 32);
  const places = Math.ceil(pitch / 8);
  const w = formOf(Math.max(4, up(values.length * bytesPerValue(dtype), 4)), (target) => {
    const write = valueWriter(entries, target);
    for (let i = 0; i < values.length; i++) write(i, values[i]!);
  });
  const kept = formOf(4 * rows * pitch, (target) => {
    const bits = words(target);
    for (let row = 0; row < rows; row++) {
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const at = row * pitch + (columns[i]! >> 5);
        bits[at] = bits[at]! | (1 << (columns[i]! & 31));
      }
    }
  });
  const starts = formOf(4 * rows, (target) => words(target).set(start.subarray(0, rows)));
  const offsets = formOf(up(2 * rows * places, 4), (target) => {
    const before = new Uint16Array(target.buffer, target.byteOffset, target.byteLength >> 1);
    for (let row = 0; row < rows; row++) {
      let i = start[row]!;
      for (let place = 0; place < places; place++) {
        while (i < start[row + 1]! && columns[i]! < 256 * place) i++;
        before[row * places + place] = i - start[row]!;
      }
    }
  });
  const form = { kind: "bitmask", values: dtype } as const;
  return { form, key: "matmul/rows/bitmask", forms: { w, kept, starts, offsets }, pitch, vectors: 0 };
}

/** Rows of blocks: the first block of each, and the number of all; and the blocks' columns. */
interface Blocks {
  readonly first: Uint32Array;
  readonly list: Uint16Array | Uint32Array;
}

function blocksBetween({ stored }: SparseTensor, begin: number, end: number, height: number): Blocks {
  const first = stored.parts.crow_indices!.data as Uint32Array;
  const list = stored.parts.col_indices!.data as Uint16Array | Uint32Array;
  const [from, to] = [begin / height, Math.ceil(end / height)];
  const before = first[from]!;
  return { first: first.subarray(from, to + 1).map((at) => at - before), list: list.subarray(before, first[to]!) };
}

function prepareBlocks(
  entries: Entries,
  { first, list }: Blocks,
  [height, width]: readonly [number, number, ...number[]],
): PreparedRows {
  const { rows, start, columns, values, dtype } = entries;
  const indexBits = list.BYTES_PER_ELEMENT === 2 ? 16 : 32;
  const area = height * width;
  const w = formOf(Math.max(4, list.length * area * bytesPerValue(dtype)), (target) => {
    const write = valueWriter(entries, target);
    for (let row = 0; row < rows; row++) {
      let block = first[Math.floor(row / height)]!;
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const column = Math.floor(columns[i]! / width);
        while (list[block]! < column) block++;
        write(block * area + (row % height) * width + (columns[i]! % width), values[i]!);
      }
    }
  });
  const kept = formOf(Math.max(4, up((list.length * indexBits) / 8, 4)), (target) =>
    writeIndices(target, indexBits, list),
  );
  const starts = formOf(4 * first.length, (target) => words(target).set(first));
  const form = { kind: "blocks", values: dtype, height, width, indexBits } as const;
  return { form, key: "matmul/rows/blocks", forms: { w, kept, starts }, pitch: 0, vectors: 0 };
}
