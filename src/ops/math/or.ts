import { connective } from "./binary.js";

/** ONNX Or: the logical or of two broadcast bool tensors. */
export const or = connective("Or", (a, b) => a | b);
