import type { Dim } from "../../graph/index.js";
import { intsOf, need, normalizeAxes } from "../infer.js";
import type { Operator } from "../operator.js";
import { listLength, listOf, unknownDims } from "./dims.js";

interface UnsqueezeAttributes {
  /** Before opset 13; null when in input 1. */
  readonly axes: readonly number[] | null;
}

/** ONNX Unsqueeze: axes of length 1 at the places `axes` of the result (attribute before opset 13, input 1 since). */
export const unsqueeze: Operator<UnsqueezeAttributes> = {
  name: "Unsqueeze",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({ axes: node.version < 13 ? node.ints("axes") : null }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    const axes = listOf(a.axes, inputs, 1);
    if (axes !== undefined) return [{ dtype, shape: unsqueezed(shape, axes) }];
    const count = listLength(need(inputs, 1));
    return [{ dtype, shape: count === undefined ? null : unknownDims(shape.length + count) }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    return [x.reshape(unsqueezed(x.shape, a.axes ?? intsOf(need(inputs, 1))) as number[])];
  },
};

function unsqueezed(shape: readonly Dim[], axes: readonly number[]): Dim[] {
  const result = [...shape];
  for (const axis of normalizeAxes(axes, shape.length + axes.length)) result.splice(axis, 0, 1);
  return result;
}
