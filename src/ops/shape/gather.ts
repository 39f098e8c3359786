import { normalizeAxis } from "../../tensor/index.js";
import { intsOf, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { normalizeIndex } from "./dims.js";
import { take } from "./move.js";

interface GatherAttributes {
  readonly axis: number;
}

/** ONNX Gather: slices of the data along `axis` at `indices` (negative ones count from the end); the axis gives way to the indices' shape. */
export const gather: Operator<GatherAttributes> = {
  name: "Gather",
  domain: "",
  attributes: (node) => ({ axis: node.int("axis", 0) }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    const indices = need(inputs, 1).type.shape;
    if (shape === null || indices === null) return [{ dtype, shape: null }];
    return [{ dtype, shape: shape.toSpliced(normalizeAxis(a.axis, shape.length), 1, ...indices) }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const indices = need(inputs, 1);
    const axis = normalizeAxis(a.axis, x.shape.length);
    const from = intsOf(indices).map((index) => normalizeIndex(index, x.shape[axis]!));
    return [take(x, axis, from).reshape(x.shape.toSpliced(axis, 1, ...indices.shape))];
  },
};
