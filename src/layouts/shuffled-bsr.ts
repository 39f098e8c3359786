import { type Mask, type Matrix, shuffledOrder } from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { bsr } from "./bsr.js";
import { checkPart, invalid } from "./check.js";
import { defineLayout } from "./define.js";
import { type Indices, indexBytes, indexType, indicesOf, newIndices } from "./indices.js";
import type { Layout, Stored } from "./layout.js";

/**
 * Shuffled block sparse rows, `shuffled-bsr:RxC` (Shfl-BW, arXiv 2203.05016): the matrix with its rows in another order, as `bsr:RxC` stores it; any
 * mask. Rows that keep the same runs of C columns are put together, so that masks of `shuffled-block:RxC` take no more blocks than they must.
 *
 * | part | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `row_indices` | uint16, or uint32 when there are more than 65536 rows | [rows] | the matrix's row at each place of the order |
 * | `crow_indices`, `col_indices`, `values` | | | of the reordered matrix, as in `bsr:RxC` |
 *
 * `scales` are by the matrix's own rows.
 */
export function shuffledBsr(height: number, width: number): Layout {
  const inner = bsr(height, width);
  const text = `shuffled-bsr:${height}x${width}`;
  return defineLayout({
    name: "shuffled-bsr",
    text,
    indices: ["row_indices", "crow_indices", "col_indices"],
    misfit: () => null,
    footprint(mask) {
      const { values, indexBytes: blocks } = inner.footprint(reordered(mask, shuffledOrder(mask, height, width)));
      return { values, indexBytes: blocks + indexBytes(indexType(mask.rows)) * mask.rows };
    },
    pack(kept, mask) {
      const order = shuffledOrder(mask, height, width);
      const { parts } = inner.encode(reordered(kept, order), reordered(mask, order));
      const dtype = indexType(mask.rows);
      const rows = newIndices(dtype, order.length);
      rows.set(order);
      const { values, ...indices } = parts as Record<string, Tensor> & { values: Tensor };
      return {
        indices: { row_indices: new Tensor(dtype, [order.length], rows), ...indices },
        shape: values.shape,
        values: values.data as Float32Array,
      };
    },
    visit(stored, visit) {
      const placeOf = new Uint32Array(stored.rows);
      for (const [place, row] of indicesOf(stored, "row_indices").entries()) placeOf[row] = place;
      const pointers = indicesOf(stored, "crow_indices");
      const columns = indicesOf(stored, "col_indices");
      for (let row = 0; row < stored.rows; row++) {
        const blockRow = Math.floor(placeOf[row]! / height);
        for (let block = pointers[blockRow]!; block < pointers[blockRow + 1]!; block++) {
          const left = columns[block]! * width;
          const base = (block * height + (placeOf[row]! % height)) * width;
          const end = Math.min(width, stored.cols - left);
          for (let j = 0; j < end; j++) visit(row, left + j, base + j);
        }
      }
    },
    check(stored) {
      const order = checkPart(stored, "row_indices", indexType(stored.rows), [stored.rows]).data as Indices;
      const seen = new Uint8Array(stored.rows);
      for (const [place, row] of order.entries()) {
        if (row >= stored.rows) throw invalid("row_indices", `entry ${place} is ${row}, not below ${stored.rows}`);
        if (seen[row] !== 0) throw invalid("row_indices", `row ${row} comes twice`);
        seen[row] = 1;
      }
      inner.validate(unshuffled(stored, inner));
    },
  });
}

/** The matrix's row at each place of the order in which a `shuffled-bsr` weight is stored; null for other layouts. */
export const rowOrderOf = (stored: Stored): Indices | null =>
  stored.layout.startsWith("shuffled-bsr:") ? indicesOf(stored, "row_indices") : null;

/** The reordered matrix as bsr stores it; scales do not matter there. */
function unshuffled({ rows, cols, dtype, parts }: Stored, { text }: Layout): Stored {
  const { row_indices: _, ...rest } = parts;
  return { layout: text, rows, cols, dtype, parts: rest };
}

function reordered<M extends Mask | Matrix>({ rows, cols, data }: M, order: readonly number[]): M {
  if (order.length !== rows) throw new NonzeroError("layout", `an order of ${order.length} places for ${rows} rows`);
  const to = data.slice();
  order.forEach((row, place) => {
    to.set(data.subarray(row * cols, (row + 1) * cols), place * cols);
  });
  return { rows, cols, data: to } as unknown as M;
}
