import { isInteger } from "../../tensor/index.js";
import { arithmetic } from "./binary.js";

/** ONNX Div: a / b of two broadcast tensors of one numeric dtype. Integers truncate toward zero; x / 0 is 0 for them. */
export const div = arithmetic("Div", (dtype) => ({
  number: isInteger(dtype) ? (a, b) => (b === 0 ? 0 : Math.trunc(a / b)) : (a, b) => a / b,
  bigint: (a, b) => (b === 0n ? 0n : a / b),
}));
