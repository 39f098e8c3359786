import { floatFunction } from "./unary.js";

/** ONNX Reciprocal: 1 / x for each element of a float tensor. */
export const reciprocal = floatFunction("Reciprocal", (x) => 1 / x);
