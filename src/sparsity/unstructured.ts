import type { Mask, Violation } from "./mask.js";
import type { Pattern } from "./pattern.js";
import { checkPercent, densityOf, keptOf, surplus } from "./share.js";
import { checkScores, keepLargest } from "./top.js";

/** `P%`: prunes the lowest scores of the whole matrix, as `torch.nn.utils.prune.l1_unstructured` does with magnitudes. */
export function unstructured(percent: number): Pattern {
  checkPercent(percent);
  return {
    kind: "unstructured",
    text: `${percent}%`,
    density: densityOf(percent),
    select(scores) {
      checkScores(scores);
      const { rows, cols, data } = scores;
      const mask = new Uint8Array(data.length);
      keepLargest(data, 0, data.length, keptOf(percent, data.length), mask);
      return { rows, cols, data: mask };
    },
    violation: (mask) => overfull(mask, 0, mask.data.length, keptOf(percent, mask.data.length), "the matrix"),
  };
}

/** `P%/row`: prunes the lowest scores of each row, the comparison group of Wanda (arXiv 2306.11695). */
export function unstructuredPerRow(percent: number): Pattern {
  checkPercent(percent);
  return {
    kind: "unstructured",
    text: `${percent}%/row`,
    density: densityOf(percent),
    select(scores) {
      checkScores(scores);
      const { rows, cols, data } = scores;
      const keep = keptOf(percent, cols);
      const mask = new Uint8Array(data.length);
      for (let row = 0; row < rows; row++) keepLargest(data, row * cols, (row + 1) * cols, keep, mask);
      return { rows, cols, data: mask };
    },
    violation(mask) {
      const { rows, cols } = mask;
      const keep = keptOf(percent, cols);
      for (let row = 0; row < rows; row++) {
        const found = overfull(mask, row * cols, (row + 1) * cols, keep, "a row");
        if (found !== null) return found;
      }
      return null;
    },
  };
}

/** A violation at the first kept entry beyond `keep` of start ≤ i < end. */
function overfull({ cols, data }: Mask, start: number, end: number, keep: number, what: string): Violation | null {
  const found = surplus(data, keep, start, end);
  if (found === null) return null;
  const reason = `${what} may keep ${keep} of ${end - start} entries and keeps ${found.count}`;
  return { row: Math.floor(found.first / cols), col: found.first % cols, reason };
}
