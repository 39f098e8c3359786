import { type BlockGrid, blockGrid } from "../../sparsity/index.js";

/**
 * Sums of scores over blocks of height × width, [ceil(rows / height), ceil(cols / width)], in double precision. With `counted` only of
 * entries that it holds 1 for.
 */
export function gridSums(
  scores: Float64Array,
  rows: number,
  cols: number,
  height: number,
  width: number,
  counted?: Uint8Array,
): { readonly grid: BlockGrid; readonly sums: Float64Array } {
  const grid = blockGrid({ rows, cols }, height, width);
  const sums = new Float64Array(grid.rows * grid.cols);
  for (let row = 0, i = 0; row < rows; row++) {
    const first = Math.floor(row / height) * grid.cols;
    for (let col = 0; col < cols; col++, i++) {
      if (counted !== undefined && counted[i] === 0) continue;
      const at = first + Math.floor(col / width);
      sums[at] = sums[at]! + scores[i]!;
    }
  }
  return { grid, sums };
}
