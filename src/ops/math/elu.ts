import { activation } from "./unary.js";

/** ONNX Elu: x where x ≥ 0, alpha · (e^x - 1) elsewhere, of a float tensor. */
export const elu = activation(
  "Elu",
  (node) => ({ alpha: node.float("alpha", 1) }),
  ({ alpha }) =>
    (x) =>
      x < 0 ? alpha * Math.expm1(x) : x,
);
