import { floatFunction } from "./unary.js";

/** ONNX Asinh: the inverse hyperbolic sine, of each element of a float tensor. */
export const asinh = floatFunction("Asinh", Math.asinh);
