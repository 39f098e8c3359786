import { activation } from "./unary.js";

/** ONNX Celu: max(0, x) + min(0, alpha · (e^(x / alpha) - 1)), of a float tensor. */
export const celu = activation(
  "Celu",
  (node) => ({ alpha: node.float("alpha", 1) }),
  ({ alpha }) =>
    (x) =>
      Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha)),
);
