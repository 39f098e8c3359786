import { isUnsigned } from "../../tensor/index.js";
import { type BinaryOperation, combineElements } from "../elementwise.js";
import { broadcastTypes, expectDtype, need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";

/** Shifts by all bits or more give 0. Powers of two keep doubles exact, and storing wraps. */
const SHIFTS: Readonly<Record<"LEFT" | "RIGHT", BinaryOperation>> = {
  LEFT: {
    number: (x, bits) => (bits < 32 ? x * 2 ** bits : 0),
    bigint: (x, bits) => (bits < 64n ? x << bits : 0n),
  },
  RIGHT: {
    number: (x, bits) => Math.floor(x / 2 ** bits),
    bigint: (x, bits) => (bits < 64n ? x >> bits : 0n),
  },
};

/** ONNX BitShift: a shifted by b bits in `direction`, of two broadcast tensors of one unsigned dtype. */
export const bitShift: Operator<{ direction: "LEFT" | "RIGHT" }> = {
  name: "BitShift",
  domain: "",
  attributes: (node) => ({ direction: node.oneOf("direction", ["LEFT", "RIGHT"]) }),
  infer: (inputs) => {
    const type = broadcastTypes([need(inputs, 0), need(inputs, 1)]);
    expectDtype(type.dtype, isUnsigned);
    return [type];
  },
  evaluate: (inputs, { direction }) => {
    const [a, b] = [need(inputs, 0), need(inputs, 1)];
    sameDtype([a, b]);
    return [combineElements(a, b, SHIFTS[direction])];
  },
};
