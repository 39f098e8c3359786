import { floatFunction } from "./unary.js";

/** ONNX Softsign: x / (1 + |x|), of a float tensor. */
export const softsign = floatFunction("Softsign", (x) => x / (1 + Math.abs(x)));
