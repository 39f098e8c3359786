import { type BlockGrid, blockGrid, countNonzeros, type Mask } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { checkAscending, checkPart, checkPointers, lengthOf } from "./check.js";
import { type Indices, indexBytes, indexType, indicesOf, newIndices } from "./indices.js";
import type { Stored } from "./layout.js";

/** Bytes of `crow_indices` and `col_indices` over a grid of blocks. */
export const blockIndexBytes = (grid: Mask, blocks: number): number =>
  4 * (grid.rows + 1) + indexBytes(indexType(grid.cols)) * blocks;

/** Row pointers and column indices of the kept blocks of a grid, and the block row of each. */
export function blockPointers(grid: Mask): { indices: Record<string, Tensor>; columns: Indices; rowOf: Uint32Array } {
  const blocks = countNonzeros(grid);
  const dtype = indexType(grid.cols);
  const pointers = new Uint32Array(grid.rows + 1);
  const columns = newIndices(dtype, blocks);
  const rowOf = new Uint32Array(blocks);
  let at = 0;
  for (let row = 0; row < grid.rows; row++) {
    for (let col = 0; col < grid.cols; col++) {
      if (grid.data[row * grid.cols + col] === 0) continue;
      columns[at] = col;
      rowOf[at++] = row;
    }
    pointers[row + 1] = at;
  }
  const indices = {
    crow_indices: new Tensor("uint32", [grid.rows + 1], pointers),
    col_indices: new Tensor(dtype, [blocks], columns),
  };
  return { indices, columns, rowOf };
}

/** Calls `visit(row, block, blockColumn, rowInBlock)` by ascending row and, within a row, by ascending block. */
export function visitBlocks(
  stored: Stored,
  height: number,
  visit: (row: number, block: number, column: number, inner: number) => void,
): void {
  const pointers = indicesOf(stored, "crow_indices");
  const columns = indicesOf(stored, "col_indices");
  for (let row = 0; row < stored.rows; row++) {
    const blockRow = Math.floor(row / height);
    for (let block = pointers[blockRow]!; block < pointers[blockRow + 1]!; block++) {
      visit(row, block, columns[block]!, row - blockRow * height);
    }
  }
}

/** Checks `crow_indices` and `col_indices` over blocks of height × width. */
export function checkBlockPointers(
  stored: Stored,
  height: number,
  width: number,
): { pointers: Uint32Array; columns: Indices; grid: BlockGrid } {
  const grid = blockGrid(stored, height, width);
  const blocks = lengthOf(stored, "col_indices");
  const pointers = checkPointers(stored, "crow_indices", grid.rows, blocks);
  const columns = checkPart(stored, "col_indices", indexType(grid.cols), [blocks]).data as Indices;
  for (let row = 0; row < grid.rows; row++) {
    checkAscending("col_indices", columns, pointers[row]!, pointers[row + 1]!, grid.cols);
  }
  return { pointers, columns, grid };
}
