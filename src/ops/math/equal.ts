import { comparison } from "./binary.js";

/** ONNX Equal: whether a = b, of two broadcast tensors of one dtype, any. NaN equals nothing. */
export const equal = comparison(
  "Equal",
  (a, b) => a === b,
  () => true,
);
