import { floatFunction } from "./unary.js";

/** ONNX Sinh: the hyperbolic sine, of each element of a float tensor. */
export const sinh = floatFunction("Sinh", Math.sinh);
