import { floatFunction } from "./unary.js";

/** ONNX Atan: the inverse tangent, in radians, of each element of a float tensor. */
export const atan = floatFunction("Atan", Math.atan);
