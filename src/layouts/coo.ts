import { countNonzeros } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { checkPart, checkValues, invalid, lengthOf } from "./check.js";
import { defineLayout } from "./define.js";
import { indexBytes, indexType, indicesOf, newIndices } from "./indices.js";
import type { Layout } from "./layout.js";

/**
 * Coordinates: any mask, as `torch.sparse_coo_tensor` when it is coalesced, with one index part for each axis.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `row_indices` | uint16, or uint32 when rows > 65536 | [nnz] | never descending |
 * | `col_indices` | uint16, or uint32 when cols > 65536 | [nnz] | ascending in a row |
 * | `values` | | [nnz] | |
 */
export const coo: Layout = defineLayout({
  name: "coo",
  text: "coo",
  indices: ["row_indices", "col_indices"],
  misfit: () => null,
  footprint(mask) {
    const values = countNonzeros(mask);
    return { values, indexBytes: values * (indexBytes(indexType(mask.rows)) + indexBytes(indexType(mask.cols))) };
  },
  pack(kept, mask) {
    const { rows, cols } = mask;
    const count = countNonzeros(mask);
    const rowIndices = newIndices(indexType(rows), count);
    const colIndices = newIndices(indexType(cols), count);
    const values = new Float32Array(count);
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) {
        if (mask.data[row * cols + col] === 0) continue;
        rowIndices[at] = row;
        colIndices[at] = col;
        values[at++] = kept.data[row * cols + col]!;
      }
    }
    const indices = {
      row_indices: new Tensor(indexType(rows), [count], rowIndices),
      col_indices: new Tensor(indexType(cols), [count], colIndices),
    };
    return { indices, shape: [count], values };
  },
  visit(stored, visit) {
    const rows = indicesOf(stored, "row_indices");
    const cols = indicesOf(stored, "col_indices");
    for (let i = 0; i < rows.length; i++) visit(rows[i]!, cols[i]!, i);
  },
  check(stored) {
    const count = lengthOf(stored, "row_indices");
    const rows = checkPart(stored, "row_indices", indexType(stored.rows), [count]).data as Uint32Array;
    const cols = checkPart(stored, "col_indices", indexType(stored.cols), [count]).data as Uint32Array;
    checkValues(stored, [count]);
    for (let i = 0; i < count; i++) {
      if (rows[i]! >= stored.rows) throw invalid("row_indices", `entry ${i} is ${rows[i]}, not below ${stored.rows}`);
      if (cols[i]! >= stored.cols) throw invalid("col_indices", `entry ${i} is ${cols[i]}, not below ${stored.cols}`);
      if (i === 0) continue;
      if (rows[i]! < rows[i - 1]!) throw invalid("row_indices", `entry ${i} descends`);
      if (rows[i] === rows[i - 1] && cols[i]! <= cols[i - 1]!)
        throw invalid("col_indices", `entry ${i} does not ascend`);
    }
  },
});
