import { softplusOf } from "./special.js";
import { floatFunction } from "./unary.js";

/** ONNX Mish: x · tanh(log(e^x + 1)), of a float tensor. */
export const mish = floatFunction("Mish", (x) => x * Math.tanh(softplusOf(x)));
