import { floatFunction } from "./unary.js";

/** ONNX Exp: e to the power of each element of a float tensor. */
export const exp = floatFunction("Exp", Math.exp);
