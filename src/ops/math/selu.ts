import { activation } from "./unary.js";

/** ONNX Selu: gamma · x where x > 0, gamma · alpha · (e^x - 1) elsewhere, of a float tensor. The defaults are the float32 that ONNX states. */
export const selu = activation(
  "Selu",
  (node) => ({
    alpha: node.float("alpha", 1.6732631921768188),
    gamma: node.float("gamma", 1.0507010221481323),
  }),
  ({ alpha, gamma }) =>
    (x) =>
      gamma * (x > 0 ? x : alpha * Math.expm1(x)),
);
