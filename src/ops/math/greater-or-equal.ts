import { comparison } from "./binary.js";

/** ONNX GreaterOrEqual: whether a ≥ b, of two broadcast tensors of one numeric dtype. */
export const greaterOrEqual = comparison("GreaterOrEqual", (a, b) => a >= b);
