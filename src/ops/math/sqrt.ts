import { floatFunction } from "./unary.js";

/** ONNX Sqrt: the square root of each element of a float tensor; NaN for negative ones. */
export const sqrt = floatFunction("Sqrt", Math.sqrt);
