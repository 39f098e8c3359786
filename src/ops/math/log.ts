import { floatFunction } from "./unary.js";

/** ONNX Log: the natural logarithm of each element of a float tensor. */
export const log = floatFunction("Log", Math.log);
