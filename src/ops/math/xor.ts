import { connective } from "./binary.js";

/** ONNX Xor: the logical xor of two broadcast bool tensors. */
export const xor = connective("Xor", (a, b) => a ^ b);
