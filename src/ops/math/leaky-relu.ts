import { activation } from "./unary.js";

/** ONNX LeakyRelu: x where x ≥ 0, alpha · x elsewhere, of a float tensor. */
export const leakyRelu = activation(
  "LeakyRelu",
  (node) => ({ alpha: node.float("alpha", 0.01) }),
  ({ alpha }) =>
    (x) =>
      x < 0 ? alpha * x : x,
);
