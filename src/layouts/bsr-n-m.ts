import { countNonzeros, keptBlocks, type Mask } from "../sparsity/index.js";
import { blockIndexBytes, blockPointers, checkBlockPointers, visitBlocks } from "./block-rows.js";
import { checkPadding, checkValues } from "./check.js";
import { defineLayout } from "./define.js";
import { checkGroups, overfullGroup, packGroups, rowBytesOf, slotsOf, unpackGroups } from "./groups.js";
import type { Indices } from "./indices.js";
import type { Layout } from "./layout.js";

/**
 * n:m inside kept blocks, `bsr:RxC+N:M`; M divides C. Each row of a block is stored as n:m groups.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `crow_indices` | uint32 | [ceil(rows / R) + 1] | as in `bsr` |
 * | `col_indices` | uint16 or uint32 | [blocks] | as in `bsr` |
 * | `indices` | uint8 | [blocks, R, ceil(slots × ceil(log2 M) / 8)] | columns in the block, packed as `Groups` says |
 * | `values` | | [blocks, R, slots], slots = C / M × N | zero beyond the matrix |
 */
export function bsrNm(height: number, width: number, n: number, m: number): Layout {
  const groups = { n, m };
  const slots = slotsOf(width, groups);
  const rowBytes = rowBytesOf(width, groups);
  return defineLayout({
    name: "bsr",
    text: `bsr:${height}x${width}+${n}:${m}`,
    indices: ["crow_indices", "col_indices", "indices"],
    misfit(mask) {
      const over = overfullGroup(mask, groups);
      if (over === null) return null;
      const { row, col, kept } = over;
      return `row ${row}, columns ${col} to ${Math.min(col + m, mask.cols) - 1} keep ${kept}, more than ${n} of ${m}`;
    },
    footprint(mask) {
      const kept = keptBlocks(mask, height, width);
      const blocks = countNonzeros(kept);
      return {
        values: blocks * height * slots,
        indexBytes: blockIndexBytes(kept, blocks) + blocks * height * rowBytes,
      };
    },
    pack(kept, mask) {
      const { indices: pointers, columns, rowOf } = blockPointers(keptBlocks(mask, height, width));
      const lines = linesOf(mask, height, width, columns, rowOf);
      const packed = packGroups(lines, groups);
      const values = new Float32Array(lines.rows * slots);
      for (let line = 0; line < lines.rows; line++) {
        const block = Math.floor(line / height);
        const row = rowOf[block]! * height + (line % height);
        if (row >= mask.rows) continue;
        for (let at = line * slots; at < (line + 1) * slots; at++) {
          const col = columns[block]! * width + packed.columns[at]!;
          if (col < mask.cols) values[at] = kept.data[row * mask.cols + col]!;
        }
      }
      const indices = { ...pointers, indices: packed.indices.reshape([columns.length, height, rowBytes]) };
      return { indices, shape: [columns.length, height, slots], values };
    },
    visit(stored, visit) {
      const indices = stored.parts.indices!;
      const inBlock = unpackGroups(indices, indices.shape[0]! * height, width, groups);
      visitBlocks(stored, height, (row, block, column, inner) => {
        const line = (block * height + inner) * slots;
        for (let at = line; at < line + slots; at++) {
          const col = column * width + inBlock[at]!;
          if (col < stored.cols) visit(row, col, at);
        }
      });
    },
    check(stored) {
      const { pointers, columns } = checkBlockPointers(stored, height, width);
      const blocks = columns.length;
      const values = checkValues(stored, [blocks, height, slots]).numbers();
      const indices = checkGroups(stored, "indices", [blocks, height, rowBytes], blocks * height, width, groups);
      const inBlock = unpackGroups(indices, blocks * height, width, groups);
      for (let blockRow = 0; blockRow < pointers.length - 1; blockRow++) {
        for (let block = pointers[blockRow]!; block < pointers[blockRow + 1]!; block++) {
          for (let i = 0; i < height * slots; i++) {
            const at = block * height * slots + i;
            const row = blockRow * height + Math.floor(i / slots);
            const col = columns[block]! * width + inBlock[at]!;
            if (row >= stored.rows || col >= stored.cols) checkPadding(values[at]!, at);
          }
        }
      }
    },
  });
}

/** The mask of the kept blocks' rows, one below the other: [blocks × height, width], with zeros beyond the matrix. */
function linesOf(mask: Mask, height: number, width: number, columns: Indices, rowOf: Uint32Array): Mask {
  const data = new Uint8Array(columns.length * height * width);
  for (let block = 0; block < columns.length; block++) {
    const left = columns[block]! * width;
    const right = Math.min(left + width, mask.cols);
    for (let inner = 0; inner < height; inner++) {
      const row = rowOf[block]! * height + inner;
      if (row >= mask.rows) break;
      data.set(mask.data.subarray(row * mask.cols + left, row * mask.cols + right), (block * height + inner) * width);
    }
  }
  return { rows: columns.length * height, cols: width, data };
}
