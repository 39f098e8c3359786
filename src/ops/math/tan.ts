import { floatFunction } from "./unary.js";

/** ONNX Tan: the tangent, of radians, of each element of a float tensor. */
export const tan = floatFunction("Tan", Math.tan);
