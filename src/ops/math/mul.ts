import { isInteger } from "../../tensor/index.js";
import { arithmetic } from "./binary.js";

/** ONNX Mul: a · b of two broadcast tensors of one numeric dtype. */
export const mul = arithmetic("Mul", (dtype) => ({
  number: isInteger(dtype) ? Math.imul : (a, b) => a * b, // a double would round products of int32
  bigint: (a, b) => a * b,
}));
