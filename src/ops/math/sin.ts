import { floatFunction } from "./unary.js";

/** ONNX Sin: the sine, of radians, of each element of a float tensor. */
export const sin = floatFunction("Sin", Math.sin);
