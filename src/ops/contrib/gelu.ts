import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { biased, geluOf } from "./gelu-functions.js";

/** com.microsoft Gelu: x · Φ(x), Φ the normal distribution. */
export const gelu: Operator<null> = {
  name: "Gelu",
  domain: "com.microsoft",
  attributes: () => null,
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs) => [biased(need(inputs, 0), null, geluOf)],
};
