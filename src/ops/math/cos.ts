import { floatFunction } from "./unary.js";

/** ONNX Cos: the cosine, of radians, of each element of a float tensor. */
export const cos = floatFunction("Cos", Math.cos);
