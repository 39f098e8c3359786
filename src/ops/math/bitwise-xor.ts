import { bitwise } from "./binary.js";

/** ONNX BitwiseXor: a ^ b, bit by bit, of two broadcast tensors of one integer dtype. */
export const bitwiseXor = bitwise("BitwiseXor", { number: (a, b) => a ^ b, bigint: (a, b) => a ^ b });
