import { mapNumbers } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX Not: the negation of a bool tensor. */
export const not: Operator<null> = {
  name: "Not",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const { type } = need(inputs, 0);
    expectDtype(type.dtype, ["bool"]);
    return [type];
  },
  evaluate: (inputs) => [mapNumbers(need(inputs, 0), (x) => 1 - x)],
};
