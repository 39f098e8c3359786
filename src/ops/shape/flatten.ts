import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { multiplyDims, unknownDims } from "./dims.js";

interface FlattenAttributes {
  readonly axis: number;
}

/** ONNX Flatten: the matrix [product of the dimensions before `axis`, product of the others]. */
export const flatten: Operator<FlattenAttributes> = {
  name: "Flatten",
  domain: "",
  attributes: (node) => ({ axis: node.int("axis", 1) }),
  infer(inputs, { axis }) {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: shape === null ? unknownDims(2) : flattened(shape, axis) }];
  },
  evaluate(inputs, { axis }) {
    const x = need(inputs, 0);
    return [x.reshape(flattened(x.shape, axis) as number[])];
  },
};

function flattened(shape: readonly Dim[], axis: number): Dim[] {
  const rank = shape.length;
  if (axis < -rank || axis > rank) throw new NonzeroError("shape", `axis ${axis} is outside [-${rank}, ${rank}]`);
  const at = axis < 0 ? axis + rank : axis;
  return [multiplyDims(shape.slice(0, at)), multiplyDims(shape.slice(at))];
}
