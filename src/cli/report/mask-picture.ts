import type { Mask } from "../../sparsity/index.js";

/** A mask as a page holds it. */
export interface MaskPicture {
  /** "bits": a bit an entry, row-major, the first in the lowest bit. "shares": a byte a cell, 255 where all entries of the cell are kept. */
  readonly kind: "bits" | "shares";
  /** Of the picture: of the mask itself, or of its cells. */
  readonly rows: number;
  readonly cols: number;
  readonly base64: string;
}

/** Cells along a side that a picture of shares has at most. */
const CELLS = 256;

/** Entry by entry where that takes at most `budget` bytes; otherwise the share of kept entries in each cell of a coarse grid. */
export function maskPicture(mask: Mask, budget: number): MaskPicture {
  const { rows, cols } = mask;
  return Math.ceil((rows * cols) / 8) <= budget
    ? { kind: "bits", rows, cols, base64: base64(bitsOf(mask)) }
    : sharesOf(mask, Math.min(CELLS, rows), Math.min(CELLS, cols));
}

function bitsOf({ data }: Mask): Uint8Array {
  const bits = new Uint8Array(Math.ceil(data.length / 8));
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) bits[i >> 3]! |= 1 << (i & 7);
  return bits;
}

function sharesOf({ rows, cols, data }: Mask, cellRows: number, cellCols: number): MaskPicture {
  const kept = new Float64Array(cellRows * cellCols);
  const all = new Float64Array(cellRows * cellCols);
  for (let r = 0, i = 0; r < rows; r++) {
    const row = Math.floor((r * cellRows) / rows) * cellCols;
    for (let c = 0; c < cols; c++, i++) {
      const cell = row + Math.floor((c * cellCols) / cols);
      all[cell]!++;
      if (data[i] !== 0) kept[cell]!++;
    }
  }
  const shares = Uint8Array.from(kept, (count, cell) => Math.round((255 * count) / all[cell]!));
  return { kind: "shares", rows: cellRows, cols: cellCols, base64: base64(shares) };
}

const base64 = (data: Uint8Array): string => Buffer.from(data.buffer, data.byteOffset, data.length).toString("base64");
