import { need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX Identity: the input itself. */
export const identity: Operator<null> = {
  name: "Identity",
  domain: "",
  attributes: () => null,
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs) => [need(inputs, 0)],
};
