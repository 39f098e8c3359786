import { countNonzeros, keptBlocks } from "../sparsity/index.js";
import { blockIndexBytes, blockPointers, checkBlockPointers, visitBlocks } from "./block-rows.js";
import { checkBlockPadding, checkValues } from "./check.js";
import { defineLayout } from "./define.js";
import type { Layout } from "./layout.js";

/**
 * Block sparse rows, `bsr:RxC`: every block of R × C that keeps an entry is stored whole; any mask. Blocks at the lower and
 * right edge are padded with zeros to R × C. Part names are those of `torch.sparse_bsr_tensor`.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `crow_indices` | uint32 | [ceil(rows / R) + 1] | pointers of the block rows |
 * | `col_indices` | uint16, or uint32 when there are more than 65536 block columns | [blocks] | block column, ascending in a block row |
 * | `values` | | [blocks, R, C] | |
 */
export function bsr(height: number, width: number): Layout {
  return defineLayout({
    name: "bsr",
    text: `bsr:${height}x${width}`,
    indices: ["crow_indices", "col_indices"],
    misfit: () => null,
    footprint(mask) {
      const kept = keptBlocks(mask, height, width);
      const blocks = countNonzeros(kept);
      return { values: blocks * height * width, indexBytes: blockIndexBytes(kept, blocks) };
    },
    pack(kept, mask) {
      const grid = keptBlocks(mask, height, width);
      const { indices, columns, rowOf } = blockPointers(grid);
      const blocks = columns.length;
      const values = new Float32Array(blocks * height * width);
      for (let block = 0; block < blocks; block++) {
        const top = rowOf[block]! * height;
        const left = columns[block]! * width;
        const right = Math.min(left + width, mask.cols);
        for (let row = top; row < Math.min(top + height, mask.rows); row++) {
          const line = kept.data.subarray(row * mask.cols + left, row * mask.cols + right);
          values.set(line, (block * height + row - top) * width);
        }
      }
      return { indices, shape: [blocks, height, width], values };
    },
    visit(stored, visit) {
      visitBlocks(stored, height, (row, block, column, inner) => {
        const left = column * width;
        const base = (block * height + inner) * width;
        const end = Math.min(width, stored.cols - left);
        for (let j = 0; j < end; j++) visit(row, left + j, base + j);
      });
    },
    check(stored) {
      const { pointers, columns, grid } = checkBlockPointers(stored, height, width);
      const values = checkValues(stored, [columns.length, height, width]).numbers();
      for (let blockRow = 0; blockRow < grid.rows; blockRow++) {
        const insideRows = stored.rows - blockRow * height;
        for (let block = pointers[blockRow]!; block < pointers[blockRow + 1]!; block++) {
          const insideCols = stored.cols - columns[block]! * width;
          checkBlockPadding(values, block * height * width, height, width, insideRows, insideCols);
        }
      }
    },
  });
}
