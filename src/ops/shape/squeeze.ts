import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { intsOf, isConcrete, knownInts, need, normalizeAxes } from "../infer.js";
import type { Operator } from "../operator.js";
import { listLength, unknownDims } from "./dims.js";

interface SqueezeAttributes {
  /** Before opset 13; null when absent or in input 1. */
  readonly axes: readonly number[] | null;
}

/** ONNX Squeeze: drops the axes given (attribute before opset 13, input 1 since), or all of length 1. */
export const squeeze: Operator<SqueezeAttributes> = {
  name: "Squeeze",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({ axes: node.version < 13 ? (node.optional("axes", "ints") ?? null) : null }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    const axes = a.axes ?? knownInts(inputs[1]);
    if (axes === undefined && inputs[1] != null) {
      const count = listLength(inputs[1]);
      return [{ dtype, shape: count === undefined ? null : unknownDims(shape.length - count) }];
    }
    if (axes === undefined && !isConcrete(shape)) return [{ dtype, shape: null }];
    return [{ dtype, shape: squeezed(shape, axes) }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const axes = a.axes ?? (inputs[1] == null ? undefined : intsOf(inputs[1]));
    return [x.reshape(squeezed(x.shape, axes) as number[])];
  },
};

function squeezed(shape: readonly Dim[], axes: readonly number[] | undefined): Dim[] {
  if (axes === undefined) return shape.filter((dim) => dim !== 1);
  const dropped = normalizeAxes(axes, shape.length);
  for (const axis of dropped) {
    if (typeof shape[axis] === "number" && shape[axis] !== 1)
      throw new NonzeroError("shape", `axis ${axis} of [${shape}] is not 1`, { field: "axes" });
  }
  return shape.filter((_, axis) => !dropped.includes(axis));
}
