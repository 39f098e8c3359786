import { argExtreme } from "./arg-extreme.js";

/** ONNX ArgMin: the index of the smallest element along `axis` (default 0) of a numeric tensor, as int64. */
export const argMin = argExtreme("ArgMin", (a, b) => a < b);
