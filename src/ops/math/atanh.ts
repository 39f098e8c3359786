import { floatFunction } from "./unary.js";

/** ONNX Atanh: the inverse hyperbolic tangent, of each element of a float tensor. */
export const atanh = floatFunction("Atanh", Math.atanh);
