import { argExtreme } from "./arg-extreme.js";

/** ONNX ArgMax: the index of the largest element along `axis` (default 0) of a numeric tensor, as int64. */
export const argMax = argExtreme("ArgMax", (a, b) => a > b);
