import { blockGrid, keptBlocks } from "../sparsity/index.js";
import { checkBlockPadding, checkValues } from "./check.js";
import { defineLayout } from "./define.js";
import { checkGroups, overfullGroup, packGroups, rowBytesOf, slotsOf, unpackGroups } from "./groups.js";
import type { Layout } from "./layout.js";

/**
 * n:m over blocks, `bnm:RxC:N:M`: of each M neighbouring blocks of R × C in a block row, N are stored whole; blocks at the
 * lower and right edge are padded with zeros.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `indices` | uint8 | [block rows, ceil(slots × ceil(log2 M) / 8)] | block columns, packed as `Groups` says |
 * | `values` | | [block rows, slots, R, C], slots = ceil(block columns / M) × N | zero beyond the matrix |
 */
export function blockNm(height: number, width: number, n: number, m: number): Layout {
  const groups = { n, m };
  const area = height * width;
  return defineLayout({
    name: "bnm",
    text: `bnm:${height}x${width}:${n}:${m}`,
    indices: ["indices"],
    misfit(mask) {
      const over = overfullGroup(keptBlocks(mask, height, width), groups);
      if (over === null) return null;
      const { row, col, kept } = over;
      return `row ${row * height}, column ${col * width}: ${kept} of ${m} neighbouring blocks are kept, more than ${n}`;
    },
    footprint(mask) {
      const grid = blockGrid(mask, height, width);
      return {
        values: grid.rows * slotsOf(grid.cols, groups) * area,
        indexBytes: grid.rows * rowBytesOf(grid.cols, groups),
      };
    },
    pack(kept, mask) {
      const grid = keptBlocks(mask, height, width);
      const slots = slotsOf(grid.cols, groups);
      const { indices, columns } = packGroups(grid, groups);
      const values = new Float32Array(grid.rows * slots * area);
      for (let row = 0; row < mask.rows; row++) {
        const blockRow = Math.floor(row / height);
        const inner = row % height;
        for (let slot = blockRow * slots; slot < (blockRow + 1) * slots; slot++) {
          const left = columns[slot]! * width;
          if (left >= mask.cols) continue;
          const right = Math.min(left + width, mask.cols);
          const line = kept.data.subarray(row * mask.cols + left, row * mask.cols + right);
          values.set(line, slot * area + inner * width);
        }
      }
      return { indices: { indices }, shape: [grid.rows, slots, height, width], values };
    },
    visit(stored, visit) {
      const grid = blockGrid(stored, height, width);
      const slots = slotsOf(grid.cols, groups);
      const columns = unpackGroups(stored.parts.indices!, grid.rows, grid.cols, groups);
      for (let row = 0; row < stored.rows; row++) {
        const blockRow = Math.floor(row / height);
        for (let slot = blockRow * slots; slot < (blockRow + 1) * slots; slot++) {
          const left = columns[slot]! * width;
          const right = Math.min(left + width, stored.cols);
          const base = slot * area + (row % height) * width;
          for (let col = left; col < right; col++) visit(row, col, base + col - left);
        }
      }
    },
    check(stored) {
      const grid = blockGrid(stored, height, width);
      const slots = slotsOf(grid.cols, groups);
      const values = checkValues(stored, [grid.rows, slots, height, width]).numbers();
      const shape = [grid.rows, rowBytesOf(grid.cols, groups)];
      const columns = unpackGroups(
        checkGroups(stored, "indices", shape, grid.rows, grid.cols, groups),
        grid.rows,
        grid.cols,
        groups,
      );
      for (let slot = 0; slot < columns.length; slot++) {
        const insideRows = stored.rows - Math.floor(slot / slots) * height;
        const insideCols = stored.cols - columns[slot]! * width;
        checkBlockPadding(values, slot * area, height, width, insideRows, insideCols);
      }
    },
  });
}
