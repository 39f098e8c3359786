import { isInteger } from "../../tensor/index.js";
import { mapElements } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX BitwiseNot: every bit of an integer tensor flipped. */
export const bitwiseNot: Operator<null> = {
  name: "BitwiseNot",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const { type } = need(inputs, 0);
    expectDtype(type.dtype, isInteger);
    return [type];
  },
  evaluate: (inputs) => [mapElements(need(inputs, 0), { number: (x) => ~x, bigint: (x) => ~x })],
};
