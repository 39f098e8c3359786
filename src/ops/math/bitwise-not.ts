import { isInteger } from "../../tensor/index.js";
import { numericFunction } from "./unary.js";

/** ONNX BitwiseNot: every bit of an integer tensor flipped. */
export const bitwiseNot = numericFunction("BitwiseNot", { number: (x) => ~x, bigint: (x) => ~x }, isInteger);
