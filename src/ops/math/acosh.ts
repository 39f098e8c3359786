import { floatFunction } from "./unary.js";

/** ONNX Acosh: the inverse hyperbolic cosine, of each element of a float tensor. */
export const acosh = floatFunction("Acosh", Math.acosh);
