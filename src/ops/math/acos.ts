import { floatFunction } from "./unary.js";

/** ONNX Acos: the inverse cosine, in radians, of each element of a float tensor. */
export const acos = floatFunction("Acos", Math.acos);
