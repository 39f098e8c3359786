import { comparison } from "./binary.js";

/** ONNX Less: whether a < b, of two broadcast tensors of one numeric dtype. */
export const less = comparison("Less", (a, b) => a < b);
