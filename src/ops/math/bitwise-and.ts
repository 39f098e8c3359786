import { bitwise } from "./binary.js";

/** ONNX BitwiseAnd: a & b, bit by bit, of two broadcast tensors of one integer dtype. */
export const bitwiseAnd = bitwise("BitwiseAnd", { number: (a, b) => a & b, bigint: (a, b) => a & b });
