import type { Mask } from "../sparsity/index.js";
import { keptBlocks } from "../sparsity/index.js";
import { checkPadding, checkValues } from "./check.js";
import { defineLayout } from "./define.js";
import { checkGroups, overfullGroup, packGroups, rowBytesOf, slotsOf, unpackGroups } from "./groups.js";
import type { Layout } from "./layout.js";

/**
 * V:n:m, `v:n:m:V:N:M`: bands of V rows keep the same N columns of every M. The last band may have fewer rows.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `indices` | uint8 | [ceil(rows / V), ceil(slots × ceil(log2 M) / 8)] | a band's columns, packed as `Groups` says |
 * | `values` | | [rows, slots], slots = ceil(cols / M) × N | values at these columns, zero beyond the matrix |
 */
export const vnm = (v: number, n: number, m: number): Layout => bandLayout("v:n:m", `v:n:m:${v}:${n}:${m}`, v, n, m);

/** Bands of v rows that share their n:m columns, under any name. */
export function bandLayout(name: string, text: string, v: number, n: number, m: number): Layout {
  const groups = { n, m };
  /** The columns that at least one row of each band keeps. */
  const bandsOf = (mask: Mask): Mask => (v === 1 ? mask : keptBlocks(mask, v, 1));
  return defineLayout({
    name,
    text,
    indices: ["indices"],
    misfit(mask) {
      const over = overfullGroup(bandsOf(mask), groups);
      if (over === null) return null;
      const top = over.row * v;
      const rows = v === 1 ? `row ${top}` : `rows ${top} to ${Math.min(top + v, mask.rows) - 1}`;
      const columns = `columns ${over.col} to ${Math.min(over.col + m, mask.cols) - 1}`;
      return `${rows}, ${columns} keep ${over.kept}${v === 1 ? "" : " columns"}, more than ${n} of ${m}`;
    },
    footprint: ({ rows, cols }) => ({
      values: rows * slotsOf(cols, groups),
      indexBytes: Math.ceil(rows / v) * rowBytesOf(cols, groups),
    }),
    pack(kept, mask) {
      const { rows, cols } = mask;
      const slots = slotsOf(cols, groups);
      const { indices, columns } = packGroups(bandsOf(mask), groups);
      const values = new Float32Array(rows * slots);
      for (let row = 0; row < rows; row++) {
        const band = Math.floor(row / v) * slots;
        for (let slot = 0; slot < slots; slot++) {
          const col = columns[band + slot]!;
          if (col < cols) values[row * slots + slot] = kept.data[row * cols + col]!;
        }
      }
      return { indices: { indices }, shape: [rows, slots], values };
    },
    visit(stored, visit) {
      const { rows, cols } = stored;
      const slots = slotsOf(cols, groups);
      const columns = unpackGroups(stored.parts.indices!, Math.ceil(rows / v), cols, groups);
      for (let row = 0; row < rows; row++) {
        const band = Math.floor(row / v) * slots;
        for (let slot = 0; slot < slots; slot++) {
          const col = columns[band + slot]!;
          if (col < cols) visit(row, col, row * slots + slot);
        }
      }
    },
    check(stored) {
      const { rows, cols } = stored;
      const slots = slotsOf(cols, groups);
      const bands = Math.ceil(rows / v);
      const values = checkValues(stored, [rows, slots]).numbers();
      const indices = checkGroups(stored, "indices", [bands, rowBytesOf(cols, groups)], bands, cols, groups);
      if (cols % m === 0) return;
      const columns = unpackGroups(indices, bands, cols, groups);
      for (let i = 0; i < rows * slots; i++) {
        const band = Math.floor(Math.floor(i / slots) / v);
        if (columns[band * slots + (i % slots)]! >= cols) checkPadding(values[i]!, i);
      }
    },
  });
}
