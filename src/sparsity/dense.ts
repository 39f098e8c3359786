import type { Pattern } from "./pattern.js";
import { checkScores } from "./top.js";

/** `dense`: keeps everything; every mask satisfies it. */
export const dense: Pattern = {
  kind: "dense",
  text: "dense",
  density: 1,
  select(scores) {
    checkScores(scores);
    return { rows: scores.rows, cols: scores.cols, data: new Uint8Array(scores.data.length).fill(1) };
  },
  violation: () => null,
};
