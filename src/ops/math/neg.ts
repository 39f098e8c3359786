import { numericFunction } from "./unary.js";

/** ONNX Neg: -x for each element of a numeric tensor; the least signed integer stays itself. */
export const neg = numericFunction("Neg", { number: (x) => -x, bigint: (x) => -x });
