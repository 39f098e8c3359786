import type { Mask } from "./mask.js";

/** A matrix cut into blocks of height × width; the last block row and column may be ragged. */
export interface BlockGrid {
  readonly rows: number;
  readonly cols: number;
  readonly height: number;
  readonly width: number;
}

export const blockGrid = (matrix: { rows: number; cols: number }, height: number, width: number): BlockGrid => ({
  rows: Math.ceil(matrix.rows / height),
  cols: Math.ceil(matrix.cols / width),
  height,
  width,
});

/** The mask over the grid: 1 for each block that keeps at least one entry. */
export function keptBlocks(mask: Mask, height: number, width: number): Mask {
  const grid = blockGrid(mask, height, width);
  const data = new Uint8Array(grid.rows * grid.cols);
  for (let row = 0, i = 0; row < mask.rows; row++) {
    const base = Math.floor(row / height) * grid.cols;
    for (let block = base, start = 0; start < mask.cols; block++, start += width) {
      const end = Math.min(start + width, mask.cols);
      for (let col = start; col < end; col++) if (mask.data[i++] !== 0) data[block] = 1;
    }
  }
  return { rows: grid.rows, cols: grid.cols, data };
}
