import { bitwise } from "./binary.js";

/** ONNX BitwiseOr: a | b, bit by bit, of two broadcast tensors of one integer dtype. */
export const bitwiseOr = bitwise("BitwiseOr", { number: (a, b) => a | b, bigint: (a, b) => a | b });
