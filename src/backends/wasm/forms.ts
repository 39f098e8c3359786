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
 * The share of kept weights from which a dense product is faster, whatever the shape (docs/tuning.md has the measurements). With few tokens both read
 * weights from memory, 4 bytes each dense, 6 sparse; with more, what counts is the work beside multiplying that indices make.
 */
const denseFrom = (tokens: number): number => (tokens <= 8 ? 0.7 : tokens <= 12 ? 0.82 : 0.92);
