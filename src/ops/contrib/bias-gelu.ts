import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { biased, geluOf } from "./gelu-functions.js";

/** com.microsoft BiasGelu: Gelu(x + bias), bias [last axis of x]. */
export const biasGelu: Operator<null> = {
  name: "BiasGelu",
  domain: "com.microsoft",
  attributes: () => null,
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs) => [biased(need(inputs, 0), need(inputs, 1), geluOf)],
};
