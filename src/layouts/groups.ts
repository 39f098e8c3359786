import type { Mask } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { checkPart, invalid } from "./check.js";
import type { Stored } from "./layout.js";

/**
 * The indices of n:m groups: each run of m columns of a row stores n of them, the last run as if it were padded to m.
 *
 * The n kept columns of a group, counted from its first, ascend and take ceil(log2 m) bits each. A row's indices follow one
 * another in a stream of bits, the least significant first, which fills up its last byte with zeros; so for 2:4 a byte holds two
 * groups, each the 4-bit code that PyTorch's `SparseSemiStructuredTensor` gives it. A group that keeps fewer than n takes the
 * columns n, n + 1, …, m - 1, 0, 1, … that it does not keep, in this order, until it has n: PyTorch's choice for 2:4 and 1:2.
 */
export interface Groups {
  readonly n: number;
  readonly m: number;
}

/** Stored columns of a row. */
export const slotsOf = (cols: number, { n, m }: Groups): number => Math.ceil(cols / m) * n;

/** Bytes of a row's indices. */
export const rowBytesOf = (cols: number, groups: Groups): number =>
  Math.ceil((slotsOf(cols, groups) * bitsOf(groups)) / 8);

const bitsOf = ({ m }: Groups): number => 32 - Math.clz32(m - 1);

/** The first group that keeps more than n, as its row and first column. */
export function overfullGroup(mask: Mask, { n, m }: Groups): { row: number; col: number; kept: number } | null {
  const { rows, cols, data } = mask;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col += m) {
      const end = Math.min(col + m, cols);
      let kept = 0;
      for (let c = col; c < end; c++) kept += data[row * cols + c] !== 0 ? 1 : 0;
      if (kept > n) return { row, col, kept };
    }
  }
  return null;
}

/**
 * `indices` is uint8 [rows, rowBytes]; `columns` [rows × slots] has the column of each slot, which in the last group may lie
 * beyond the mask.
 */
export function packGroups(mask: Mask, groups: Groups): { indices: Tensor; columns: Uint32Array } {
  const { rows, cols, data } = mask;
  const { n, m } = groups;
  const bits = bitsOf(groups);
  const slots = slotsOf(cols, groups);
  const rowBytes = rowBytesOf(cols, groups);
  const bytes = new Uint8Array(rows * rowBytes);
  const columns = new Uint32Array(rows * slots);
  const chosen = new Uint8Array(m);
  for (let row = 0; row < rows; row++) {
    let slot = 0;
    for (let start = 0; start < cols; start += m) {
      let missing = n;
      for (let j = 0; j < m; j++) {
        chosen[j] = start + j < cols && data[row * cols + start + j] !== 0 ? 1 : 0;
        missing -= chosen[j]!;
      }
      for (let j = n; missing > 0; j = j + 1 === m ? 0 : j + 1) {
        if (j === m) j = 0; // n = m
        if (chosen[j] !== 0) continue;
        chosen[j] = 1;
        missing--;
      }
      for (let j = 0; j < m; j++) {
        if (chosen[j] === 0) continue;
        writeBits(bytes, row * rowBytes, slot * bits, bits, j);
        columns[row * slots + slot++] = start + j;
      }
    }
  }
  return { indices: new Tensor("uint8", [rows, rowBytes], bytes), columns };
}

/** The column of each slot, [rows × slots]; undoes `packGroups`. */
export function unpackGroups(indices: Tensor, rows: number, cols: number, groups: Groups): Uint32Array {
  const bits = bitsOf(groups);
  const slots = slotsOf(cols, groups);
  const rowBytes = rowBytesOf(cols, groups);
  const bytes = indices.data as Uint8Array;
  const columns = new Uint32Array(rows * slots);
  for (let row = 0; row < rows; row++) {
    for (let slot = 0; slot < slots; slot++) {
      const start = Math.floor(slot / groups.n) * groups.m;
      columns[row * slots + slot] = start + readBits(bytes, row * rowBytes, slot * bits, bits);
    }
  }
  return columns;
}

/** Checks the part: shape, each group ascending and below m, unused bits zero. `shape` is the shape of [rows, rowBytes] in the part. */
export function checkGroups(
  stored: Stored,
  name: string,
  shape: readonly number[],
  rows: number,
  cols: number,
  groups: Groups,
): Tensor {
  const indices = checkPart(stored, name, "uint8", shape);
  const bytes = indices.data as Uint8Array;
  const bits = bitsOf(groups);
  const slots = slotsOf(cols, groups);
  const rowBytes = rowBytesOf(cols, groups);
  if (slots === 0) return indices;
  for (let row = 0; row < rows; row++) {
    let before = -1;
    for (let slot = 0; slot < slots; slot++) {
      if (slot % groups.n === 0) before = -1;
      const index = readBits(bytes, row * rowBytes, slot * bits, bits);
      if (index <= before || index >= groups.m) {
        throw invalid(name, `row ${row}, slot ${slot}: ${index} does not ascend below ${groups.m}`);
      }
      before = index;
    }
    const used = slots * bits - 8 * (rowBytes - 1);
    if (used > 0 && bytes[(row + 1) * rowBytes - 1]! >> used !== 0) throw invalid(name, `row ${row} has stray bits`);
  }
  return indices;
}

function writeBits(bytes: Uint8Array, base: number, at: number, bits: number, value: number): void {
  for (let done = 0; done < bits; ) {
    const byte = base + (((at + done) / 8) | 0);
    const shift = (at + done) & 7;
    bytes[byte] = bytes[byte]! | ((value >> done) << shift);
    done += 8 - shift;
  }
}

function readBits(bytes: Uint8Array, base: number, at: number, bits: number): number {
  let value = 0;
  for (let done = 0; done < bits; ) {
    const shift = (at + done) & 7;
    value |= (bytes[base + (((at + done) / 8) | 0)]! >> shift) << done;
    done += 8 - shift;
  }
  return value & ((1 << bits) - 1);
}
