import { mapNumbers } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

/** com.microsoft QuickGelu: x · sigmoid(alpha · x); alpha is 1.702 unless given. */
export const quickGelu: Operator<{ readonly alpha: number }> = {
  name: "QuickGelu",
  domain: "com.microsoft",
  attributes: (node) => ({ alpha: node.float("alpha", 1.702) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, { alpha }) => [mapNumbers(need(inputs, 0), (x) => x / (1 + Math.exp(-alpha * x)))],
};
