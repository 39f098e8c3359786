import { isNumeric } from "./dtypes.js";
import { activation } from "./unary.js";

/** ONNX Shrink: x + bias where x < -lambd, x - bias where x > lambd, 0 elsewhere, of a numeric tensor. */
export const shrink = activation(
  "Shrink",
  (node) => ({ bias: node.float("bias", 0), lambd: node.float("lambd", 0.5) }),
  ({ bias, lambd }) =>
    (x) =>
      x < -lambd ? x + bias : x > lambd ? x - bias : 0,
  isNumeric,
);
