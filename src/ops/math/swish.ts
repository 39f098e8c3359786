import { sigmoidOf } from "./special.js";
import { activation } from "./unary.js";

/** ONNX Swish: x · sigmoid(alpha · x), of a float tensor. */
export const swish = activation(
  "Swish",
  (node) => ({ alpha: node.float("alpha", 1) }),
  ({ alpha }) =>
    (x) =>
      x * sigmoidOf(alpha * x),
);
