import { floatFunction } from "./unary.js";

/** ONNX Tanh: the hyperbolic tangent, of each element of a float tensor. */
export const tanh = floatFunction("Tanh", Math.tanh);
