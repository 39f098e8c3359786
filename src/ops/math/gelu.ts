import { erfc } from "./special.js";
import { activation } from "./unary.js";

const exact = (x: number): number => 0.5 * x * erfc(-x / Math.SQRT2);

const byTanh = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** ONNX Gelu: x · Φ(x), Φ the normal distribution, of a float tensor; `approximate` "tanh" takes the usual formula with tanh for Φ. */
export const gelu = activation(
  "Gelu",
  (node) => node.oneOf("approximate", ["none", "tanh"], "none"),
  (approximate) => (approximate === "tanh" ? byTanh : exact),
);
