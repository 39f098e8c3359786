import { activation } from "./unary.js";

/** ONNX HardSigmoid: alpha · x + beta held to [0, 1], of a float tensor. */
export const hardSigmoid = activation(
  "HardSigmoid",
  (node) => ({ alpha: node.float("alpha", 0.2), beta: node.float("beta", 0.5) }),
  ({ alpha, beta }) =>
    (x) =>
      Math.max(0, Math.min(1, alpha * x + beta)),
);
