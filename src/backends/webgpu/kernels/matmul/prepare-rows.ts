import type { Value } from "../../../../graph/index.js";
import type { SparseTensor } from "../../../../layouts/index.js";
import type { Buffer, Lowering } from "../../kernel.js";
import { allEntries, bytesPerValue, scalesBuffer, valueWriter, words } from "./prepare.js";
import type { RowForm } from "./rows.js";

/** A sparse weight, compressed, as `rowShader` reads it. */
export interface PreparedRows {
  readonly form: Exclude<RowForm, { kind: "dense" }>;
  readonly buffers: Readonly<Record<string, Buffer>>;
  readonly scales: Buffer | null;
  readonly pitch: number;
  readonly vectors: number;
}

const up = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** The row form that stays closest to a layout's own bytes. */
export function prepareRows(to: Lowering, weight: Value, tensor: SparseTensor): PreparedRows {
  const { layout } = tensor.stored;
  const numbers = (layout.match(/\d+/g) ?? []).map(Number) as [number, number, number];
  if (layout === "semi-structured") return prepareGroups(to, weight, tensor, 1, 2, 4);
  if (layout.startsWith("n:m:") && numbers[1] <= 256)
    return prepareGroups(to, weight, tensor, 1, numbers[0], numbers[1]);
  if (layout.startsWith("v:n:m:") && numbers[2] <= 256) return prepareGroups(to, weight, tensor, ...numbers);
  if (/^bsr:\d+x\d+$/.test(layout) && numbers[1] % 4 === 0)
    return prepareBlocks(to, weight, tensor, numbers[0], numbers[1]);
  const { columns, cols, rows } = allEntries(tensor);
  const widest = cols <= 65535;
  return columns.length * 16 > rows * cols && widest
    ? prepareBitmask(to, weight, tensor)
    : prepareCsr(to, weight, tensor);
}

/** V:n:m: the layout's values and bits, rows filled up to whole vectors and words. */
function prepareGroups(
  to: Lowering,
  weight: Value,
  tensor: SparseTensor,
  v: number,
  n: number,
  m: number,
): PreparedRows {
  const entries = allEntries(tensor);
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
  const w = to.prepared(weight, "matmul/rows/groups/w", Math.max(4, rows * slots * bytesPerValue(dtype)), (target) => {
    const write = valueWriter(entries, target);
    for (let row = 0; row < rows; row++) eachSlot(row, (slot, i) => write(row * slots + slot, values[i]!));
  });
  const kept = to.prepared(weight, "matmul/rows/groups/kept", 4 * Math.ceil(rows / v) * pitch, (target) => {
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
  return { form, buffers: { w, kept }, scales: scalesBuffer(to, weight, entries), pitch, vectors: slots / 4 };
}

const writeIndices = (target: Uint8Array, bits: 16 | 32, list: ArrayLike<number>): void =>
  bits === 16
    ? new Uint16Array(target.buffer, target.byteOffset, target.byteLength >> 1).set(list)
    : words(target).set(list);

function prepareCsr(to: Lowering, weight: Value, tensor: SparseTensor): PreparedRows {
  const entries = allEntries(tensor);
  const { cols, start, columns, values, dtype } = entries;
  const indexBits = cols <= 65536 ? 16 : 32;
  const name = "matmul/rows/csr";
  const w = to.prepared(weight, `${name}/w`, Math.max(4, up(values.length * bytesPerValue(dtype), 4)), (target) => {
    const write = valueWriter(entries, target);
    for (let i = 0; i < values.length; i++) write(i, values[i]!);
  });
  const kept = to.prepared(weight, `${name}/kept`, Math.max(4, up((columns.length * indexBits) / 8, 4)), (target) =>
    writeIndices(target, indexBits, columns),
  );
  const starts = to.prepared(weight, `${name}/starts`, 4 * start.length, (target) => words(target).set(start));
  const form = { kind: "csr", values: dtype, indexBits } as const;
  return { form, buffers: { w, kept, starts }, scales: scalesBuffer(to, weight, entries), pitch: 0, vectors: 0 };
}

function prepareBitmask(to: Lowering, weight: Value, tensor: SparseTensor): PreparedRows {
  const entries = allEntries(tensor);
  const { rows, cols, start, columns, values, dtype } = entries;
  const pitch = Math.ceil(cols / 32);
  const places = Math.ceil(pitch / 8);
  const name = "matmul/rows/bitmask";
  const w = to.prepared(weight, `${name}/w`, Math.max(4, up(values.length * bytesPerValue(dtype), 4)), (target) => {
    const write = valueWriter(entries, target);
    for (let i = 0; i < values.length; i++) write(i, values[i]!);
  });
  const kept = to.prepared(weight, `${name}/kept`, 4 * rows * pitch, (target) => {
    const bits = words(target);
    for (let row = 0; row < rows; row++) {
      for (let i = start[row]!; i < start[row + 1]!; i++) {
        const at = row * pitch + (columns[i]! >> 5);
        bits[at] = bits[at]! | (1 << (columns[i]! & 31));
      }
    }
  });
  const starts = to.prepared(weight, `${name}/starts`, 4 * rows, (target) =>
    words(target).set(start.subarray(0, rows)),
  );
  const offsets = to.prepared(weight, `${name}/offsets`, up(2 * rows * places, 4), (target) => {
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
  return { form, buffers: { w, kept, starts, offsets }, scales: scalesBuffer(to, weight, entries), pitch, vectors: 0 };
}

function prepareBlocks(to: Lowering, weight: Value, tensor: SparseTensor, height: number, width: number): PreparedRows {
  const { parts } = tensor.stored;
  const entries = allEntries(tensor);
  const { rows, start, columns, values, dtype } = entries;
  const [pointers, blocks] = [parts.crow_indices!, parts.col_indices!];
  const first = pointers.data as Uint32Array;
  const list = blocks.data as Uint16Array | Uint32Array;
  const indexBits = blocks.dtype === "uint16" ? 16 : 32;
  const name = "matmul/rows/blocks";
  const area = height * width;
  const w = to.prepared(weight, `${name}/w`, Math.max(4, blocks.size * area * bytesPerValue(dtype)), (target) => {
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
  const kept = to.prepared(weight, `${name}/kept`, Math.max(4, up((blocks.size * indexBits) / 8, 4)), (target) =>
    writeIndices(target, indexBits, list),
  );
  const starts = to.prepared(weight, `${name}/starts`, 4 * first.length, (target) => words(target).set(first));
  const form = { kind: "blocks", values: dtype, height, width, indexBits } as const;
  return { form, buffers: { w, kept, starts }, scales: scalesBuffer(to, weight, entries), pitch: 0, vectors: 0 };
}
