import { comparison } from "./binary.js";

/** ONNX LessOrEqual: whether a ≤ b, of two broadcast tensors of one numeric dtype. */
export const lessOrEqual = comparison("LessOrEqual", (a, b) => a <= b);
