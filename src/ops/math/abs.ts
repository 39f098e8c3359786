import { numericFunction } from "./unary.js";

/** ONNX Abs: the magnitude of each element of a numeric tensor; the least signed integer stays itself. */
export const abs = numericFunction("Abs", { number: Math.abs, bigint: (x) => (x < 0n ? -x : x) });
