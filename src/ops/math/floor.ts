import { floatFunction } from "./unary.js";

/** ONNX Floor: each element of a float tensor rounded down. */
export const floor = floatFunction("Floor", Math.floor);
