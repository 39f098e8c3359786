import type { FormsOf, WeightUse } from "../tuner/index.js";

/**
 * Kernels bring every layout into a stream of their own, so what a weight is stored in does not matter here, only whether it is multiplied
 * sparse or dense.
 */
export const formsOf: FormsOf = (_, use) => {
  if (!use.layout.endsWith("/float32")) return ["stored"]; // fewer bytes than dense, however little is left out
  return runsDense(use) ? ["dense", "stored"] : ["stored", "dense"];
};

/** Whether a sparse float32 weight is multiplied dense. */
export const runsDense = ({ op, rows, cols, tokens, kept }: Omit<WeightUse, "layout">): boolean =>
  op === "linear" && kept > denseFrom(tokens) * rows * cols;

/**
 * The share of kept weights from which a dense product is faster, whatever the shape (docs/tuning.md has the measurements). A single token has a sparse
 * kernel of its own, which is never slower; from two to a dozen, panels are too narrow to make up for looking indices up.
 */
function denseFrom(tokens: number): number {
  if (tokens === 1) return 1;
  if (tokens > 12) return 0.88;
  return tokens <= 8 ? 0.68 : 0.82;
}
