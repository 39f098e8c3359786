import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { biased, fastGeluOf } from "./gelu-functions.js";

/** com.microsoft FastGelu: Gelu by its tanh approximation, of x + bias where a bias [last axis of x] is given. */
export const fastGelu: Operator<null> = {
  name: "FastGelu",
  domain: "com.microsoft",
  attributes: () => null,
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs) => [biased(need(inputs, 0), inputs[1], fastGeluOf)],
};
