import { countNonzeros } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { checkAscending, checkPart, checkPointers, checkValues, lengthOf } from "./check.js";
import { defineLayout } from "./define.js";
import { indexBytes, indexType, indicesOf, newIndices } from "./indices.js";
import type { Layout } from "./layout.js";

/**
 * Compressed sparse rows: any mask. Part names are those of `torch.sparse_csr_tensor`.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `crow_indices` | uint32 | [rows + 1] | row r has the entries crow_indices[r] ≤ i < crow_indices[r + 1] |
 * | `col_indices` | uint16, or uint32 when cols > 65536 | [nnz] | column of each entry, ascending in a row |
 * | `values` | | [nnz] | |
 */
export const csr: Layout = defineLayout({
  name: "csr",
  text: "csr",
  indices: ["crow_indices", "col_indices"],
  misfit: () => null,
  footprint(mask) {
    const values = countNonzeros(mask);
    return { values, indexBytes: 4 * (mask.rows + 1) + indexBytes(indexType(mask.cols)) * values };
  },
  pack(kept, mask) {
    const { rows, cols } = mask;
    const count = countNonzeros(mask);
    const pointers = new Uint32Array(rows + 1);
    const columns = newIndices(indexType(cols), count);
    const values = new Float32Array(count);
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) {
        if (mask.data[row * cols + col] === 0) continue;
        columns[at] = col;
        values[at++] = kept.data[row * cols + col]!;
      }
      pointers[row + 1] = at;
    }
    const indices = {
      crow_indices: new Tensor("uint32", [rows + 1], pointers),
      col_indices: new Tensor(indexType(cols), [count], columns),
    };
    return { indices, shape: [count], values };
  },
  visit(stored, visit) {
    const pointers = indicesOf(stored, "crow_indices");
    const columns = indicesOf(stored, "col_indices");
    for (let row = 0; row < stored.rows; row++) {
      for (let i = pointers[row]!; i < pointers[row + 1]!; i++) visit(row, columns[i]!, i);
    }
  },
  check(stored) {
    const { rows, cols } = stored;
    const count = lengthOf(stored, "col_indices");
    const pointers = checkPointers(stored, "crow_indices", rows, count);
    const columns = checkPart(stored, "col_indices", indexType(cols), [count]).data as Uint32Array;
    checkValues(stored, [count]);
    for (let row = 0; row < rows; row++)
      checkAscending("col_indices", columns, pointers[row]!, pointers[row + 1]!, cols);
  },
});
