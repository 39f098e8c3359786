import { floatFunction } from "./unary.js";

/** ONNX Cosh: the hyperbolic cosine, of each element of a float tensor. */
export const cosh = floatFunction("Cosh", Math.cosh);
