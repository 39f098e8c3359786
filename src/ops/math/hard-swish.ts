import { floatFunction } from "./unary.js";

/** ONNX HardSwish: x · max(0, min(1, x / 6 + 1/2)), of a float tensor. */
export const hardSwish = floatFunction("HardSwish", (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)));
