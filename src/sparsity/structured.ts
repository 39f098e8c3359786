import { bestBlocks, blockViolation } from "./block.js";
import { blockGrid } from "./blocks.js";
import type { Pattern } from "./pattern.js";
import { checkPercent, densityOf } from "./share.js";
import { checkScores } from "./top.js";

/** `rows@P%`: whole outputs go, P percent of them, by the sum of their scores; `torch.nn.utils.prune.ln_structured` with dim 0. */
export const rows = (percent: number): Pattern => structured("rows", "rows", percent);

/** `cols@P%`: whole inputs go, P percent of them, by the sum of their scores; `torch.nn.utils.prune.ln_structured` with dim 1. */
export const cols = (percent: number): Pattern => structured("cols", "columns", percent);

function structured(kind: "rows" | "cols", plural: string, percent: number): Pattern {
  checkPercent(percent);
  /** A row or a column is one block. */
  const height = (matrix: { rows: number }): number => (kind === "rows" ? 1 : Math.max(1, matrix.rows));
  const width = (matrix: { cols: number }): number => (kind === "cols" ? 1 : Math.max(1, matrix.cols));
  return {
    kind,
    text: `${kind}@${percent}%`,
    density: densityOf(percent),
    select(scores) {
      checkScores(scores);
      return bestBlocks(scores, blockGrid(scores, height(scores), width(scores)), percent);
    },
    violation: (mask) => blockViolation(mask, height(mask), width(mask), percent, plural),
  };
}
