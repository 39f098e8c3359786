import { activation } from "./unary.js";

/** ONNX ThresholdedRelu: x where x > alpha, 0 elsewhere, of a float tensor. */
export const thresholdedRelu = activation(
  "ThresholdedRelu",
  (node) => ({ alpha: node.float("alpha", 1) }),
  ({ alpha }) =>
    (x) =>
      x > alpha ? x : 0,
);
