import { floatFunction } from "./unary.js";

/** ONNX Ceil: each element of a float tensor rounded up. */
export const ceil = floatFunction("Ceil", Math.ceil);
