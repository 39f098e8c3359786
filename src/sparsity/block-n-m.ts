import { blockGrid, blockSums, checkBlock, keptBlocks, spreadBlocks } from "./blocks.js";
import type { Pattern } from "./pattern.js";
import { checkScores } from "./top.js";
import { checkGroup, keepGroups, overfullGroup } from "./v-n-m.js";

/**
 * `block:RxC:n:m`: n:m over blocks; of each m blocks of R × C side by side along the inputs, n stay whole. Groups of blocks start
 * at the first column of each block row; a last group of r < m blocks keeps ceil(n × r / m). `block:Vx1:n:m` is `V:n:m`.
 */
export function blockGroups(height: number, width: number, n: number, m: number): Pattern {
  checkBlock(height, width);
  checkGroup(n, m);
  return {
    kind: "block-n:m",
    text: `block:${height}x${width}:${n}:${m}`,
    density: n / m,
    select(scores) {
      checkScores(scores);
      const grid = blockGrid(scores, height, width);
      const kept = new Uint8Array(grid.rows * grid.cols);
      keepGroups(blockSums(scores, grid), grid.rows, grid.cols, n, m, kept);
      return spreadBlocks(kept, scores, grid);
    },
    violation(mask) {
      const found = overfullGroup(keptBlocks(mask, height, width), n, m);
      if (found === null) return null;
      const { row, col, kept, keep, length } = found;
      const reason = `${keep} of ${length} neighbouring blocks of ${height}x${width} may stay and ${kept} do`;
      return { row: row * height, col: col * width, reason };
    },
  };
}
