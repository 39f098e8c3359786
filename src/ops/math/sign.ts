import { numericFunction } from "./unary.js";

/** ONNX Sign: -1, 0 or 1 as each element of a numeric tensor is below, at or above zero; NaN for NaN. */
export const sign = numericFunction("Sign", { number: Math.sign, bigint: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n) });
