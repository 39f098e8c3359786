import { numericFunction } from "./unary.js";

/** ONNX Relu: max(x, 0) of each element of a numeric tensor. */
export const relu = numericFunction("Relu", { number: (x) => Math.max(x, 0), bigint: (x) => (x > 0n ? x : 0n) });
