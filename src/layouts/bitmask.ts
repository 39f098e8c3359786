import { countNonzeros } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { bitRowBytes, countBits, packBits, strayBits, visitBits } from "./bits.js";
import { checkPart, checkValues, invalid } from "./check.js";
import { defineLayout } from "./define.js";
import { indicesOf } from "./indices.js";
import type { Layout } from "./layout.js";

/**
 * One bit for each entry of the matrix, then the kept values: any mask; smaller than csr when more than about one entry in
 * sixteen is kept. Bits and values are those of compressed-tensors' `sparse-bitmask`.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `bitmask` | uint8 | [rows, ceil(cols / 8)] | column j is bit j % 8 of byte floor(j / 8); bits beyond cols are 0 |
 * | `values` | | [nnz] | kept values in row-major order |
 */
export const bitmask: Layout = defineLayout({
  name: "bitmask",
  text: "bitmask",
  indices: ["bitmask"],
  misfit: () => null,
  footprint: (mask) => ({ values: countNonzeros(mask), indexBytes: mask.rows * bitRowBytes(mask.cols) }),
  pack(kept, mask) {
    const bits = new Tensor("uint8", [mask.rows, bitRowBytes(mask.cols)], packBits(mask));
    const values = new Float32Array(countNonzeros(mask));
    for (let i = 0, at = 0; i < mask.data.length; i++) if (mask.data[i] !== 0) values[at++] = kept.data[i]!;
    return { indices: { bitmask: bits }, shape: [values.length], values };
  },
  visit(stored, visit) {
    let index = 0;
    visitBits(indicesOf(stored, "bitmask") as Uint8Array, stored.rows, stored.cols, (row, col) =>
      visit(row, col, index++),
    );
  },
  check(stored) {
    const { rows, cols } = stored;
    const bytes = checkPart(stored, "bitmask", "uint8", [rows, bitRowBytes(cols)]).data as Uint8Array;
    const stray = strayBits(bytes, rows, cols);
    if (stray >= 0) throw invalid("bitmask", `row ${stray} has bits beyond column ${cols - 1}`);
    checkValues(stored, [countBits(bytes)]);
  },
});
