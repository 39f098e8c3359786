import { connective } from "./binary.js";

/** ONNX And: the logical and of two broadcast bool tensors. */
export const and = connective("And", (a, b) => a & b);
