import { NonzeroError } from "../tensor/index.js";
import type { Mask, Matrix } from "./mask.js";
import { checkSums } from "./top.js";

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

/** Calls `visit(i, block)` for each entry of a matrix in row-major order, with the place of its block in the grid. */
function forEachEntry(
  matrix: { rows: number; cols: number },
  grid: BlockGrid,
  visit: (i: number, block: number) => void,
): void {
  for (let row = 0, i = 0; row < matrix.rows; row++) {
    let block = Math.floor(row / grid.height) * grid.cols;
    for (let start = 0; start < matrix.cols; start += grid.width, block++) {
      const end = Math.min(start + grid.width, matrix.cols);
      for (let col = start; col < end; col++) visit(i++, block);
    }
  }
}

/** The mask over the grid: 1 for each block that keeps at least one entry. */
export function keptBlocks(mask: Mask, height: number, width: number): Mask {
  const grid = blockGrid(mask, height, width);
  const data = new Uint8Array(grid.rows * grid.cols);
  forEachEntry(mask, grid, (i, block) => {
    if (mask.data[i] !== 0) data[block] = 1;
  });
  return { rows: grid.rows, cols: grid.cols, data };
}

/** The mask that keeps the whole of each kept block; undoes `keptBlocks`. */
export function spreadBlocks(kept: Uint8Array, matrix: { rows: number; cols: number }, grid: BlockGrid): Mask {
  const data = new Uint8Array(matrix.rows * matrix.cols);
  forEachEntry(matrix, grid, (i, block) => {
    data[i] = kept[block]!;
  });
  return { rows: matrix.rows, cols: matrix.cols, data };
}

/** The sum of the scores in each block, of those that `mask` keeps where there is one. @throws NonzeroError for a NaN sum. */
export function blockSums(scores: Matrix, grid: BlockGrid, mask?: Uint8Array): Float64Array {
  const sums = new Float64Array(grid.rows * grid.cols);
  forEachEntry(scores, grid, (i, block) => {
    if (mask === undefined || mask[i] !== 0) sums[block] = sums[block]! + scores.data[i]!;
  });
  checkSums(sums, (i) => blockPlace(grid, i));
  return sums;
}

export const blockPlace = ({ cols, height, width }: BlockGrid, block: number): string =>
  `the block at row ${Math.floor(block / cols) * height}, column ${(block % cols) * width}`;

/** @throws NonzeroError "invalid-argument". */
export function checkBlock(height: number, width: number): void {
  for (const side of [height, width]) {
    if (side < 1 || side > 4096) throw new NonzeroError("invalid-argument", `a block's side is 1 to 4096, not ${side}`);
  }
}
