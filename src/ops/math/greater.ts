import { comparison } from "./binary.js";

/** ONNX Greater: whether a > b, of two broadcast tensors of one numeric dtype. */
export const greater = comparison("Greater", (a, b) => a > b);
