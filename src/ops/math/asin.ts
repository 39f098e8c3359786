import { floatFunction } from "./unary.js";

/** ONNX Asin: the inverse sine, in radians, of each element of a float tensor. */
export const asin = floatFunction("Asin", Math.asin);
