import { countNonzeros, keptBlocks, type Mask } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { checkAscending, checkPart, checkValues, lengthOf } from "./check.js";
import { defineLayout } from "./define.js";
import { indexBytes, indexType, indicesOf, newIndices } from "./indices.js";
import type { Layout } from "./layout.js";

/**
 * Whole rows: those that keep an entry are stored whole; any mask.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `row_indices` | uint16, or uint32 when rows > 65536 | [kept] | the stored rows, ascending |
 * | `values` | | [kept, cols] | |
 */
export const rows: Layout = defineLayout({
  name: "rows",
  text: "rows",
  indices: ["row_indices"],
  misfit: () => null,
  footprint(mask) {
    const kept = countNonzeros(keptRows(mask));
    return { values: kept * mask.cols, indexBytes: kept * indexBytes(indexType(mask.rows)) };
  },
  pack(kept, mask) {
    const chosen = places(keptRows(mask));
    const values = new Float32Array(chosen.length * mask.cols);
    chosen.forEach((row, i) => {
      values.set(kept.data.subarray(row * mask.cols, (row + 1) * mask.cols), i * mask.cols);
    });
    const indices = { row_indices: new Tensor(indexType(mask.rows), [chosen.length], chosen) };
    return { indices, shape: [chosen.length, mask.cols], values };
  },
  visit(stored, visit) {
    const chosen = indicesOf(stored, "row_indices");
    for (let i = 0; i < chosen.length; i++) {
      for (let col = 0; col < stored.cols; col++) visit(chosen[i]!, col, i * stored.cols + col);
    }
  },
  check(stored) {
    const count = lengthOf(stored, "row_indices");
    const chosen = checkPart(stored, "row_indices", indexType(stored.rows), [count]).data as Uint32Array;
    checkAscending("row_indices", chosen, 0, count, stored.rows);
    checkValues(stored, [count, stored.cols]);
  },
});

/**
 * Whole columns: those that keep an entry are stored whole; any mask.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `col_indices` | uint16, or uint32 when cols > 65536 | [kept] | the stored columns, ascending |
 * | `values` | | [rows, kept] | |
 */
export const cols: Layout = defineLayout({
  name: "cols",
  text: "cols",
  indices: ["col_indices"],
  misfit: () => null,
  footprint(mask) {
    const kept = countNonzeros(keptCols(mask));
    return { values: kept * mask.rows, indexBytes: kept * indexBytes(indexType(mask.cols)) };
  },
  pack(kept, mask) {
    const chosen = places(keptCols(mask));
    const values = new Float32Array(mask.rows * chosen.length);
    for (let row = 0, at = 0; row < mask.rows; row++) {
      for (let i = 0; i < chosen.length; i++) values[at++] = kept.data[row * mask.cols + chosen[i]!]!;
    }
    const indices = { col_indices: new Tensor(indexType(mask.cols), [chosen.length], chosen) };
    return { indices, shape: [mask.rows, chosen.length], values };
  },
  visit(stored, visit) {
    const chosen = indicesOf(stored, "col_indices");
    for (let row = 0; row < stored.rows; row++) {
      for (let i = 0; i < chosen.length; i++) visit(row, chosen[i]!, row * chosen.length + i);
    }
  },
  check(stored) {
    const count = lengthOf(stored, "col_indices");
    const chosen = checkPart(stored, "col_indices", indexType(stored.cols), [count]).data as Uint32Array;
    checkAscending("col_indices", chosen, 0, count, stored.cols);
    checkValues(stored, [stored.rows, count]);
  },
});

const keptRows = (mask: Mask): Mask => keptBlocks(mask, 1, Math.max(1, mask.cols));
const keptCols = (mask: Mask): Mask => keptBlocks(mask, Math.max(1, mask.rows), 1);

function places(kept: Mask): Uint16Array | Uint32Array {
  const chosen = newIndices(indexType(kept.data.length), countNonzeros(kept));
  let at = 0;
  kept.data.forEach((bit, i) => {
    if (bit !== 0) chosen[at++] = i;
  });
  return chosen;
}
