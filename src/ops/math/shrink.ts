import { mapNumbers } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./binary.js";

/** ONNX Shrink: x + bias where x < -lambd, x - bias where x > lambd, 0 elsewhere, of a numeric tensor. */
export const shrink: Operator<{ bias: number; lambd: number }> = {
  name: "Shrink",
  domain: "",
  attributes: (node) => ({ bias: node.float("bias", 0), lambd: node.float("lambd", 0.5) }),
  infer: (inputs) => {
    const { type } = need(inputs, 0);
    expectDtype(type.dtype, isNumeric);
    return [type];
  },
  evaluate: (inputs, { bias, lambd }) => [
    mapNumbers(need(inputs, 0), (x) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0)),
  ],
};
