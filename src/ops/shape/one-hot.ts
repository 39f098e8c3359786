import type { Dim } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, sizeOf, type Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, unknownDim } from "./dims.js";
import { fromSlots, newSlots, slotsOf } from "./move.js";

interface OneHotAttributes {
  readonly axis: number;
}

/**
 * ONNX OneHot: a new axis of length `depth` (input 1), values[1] where its coordinate is the index and values[0] elsewhere.
 * Negative indices count from the end; those outside [-depth, depth) give only values[0].
 */
export const oneHot: Operator<OneHotAttributes> = {
  name: "OneHot",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({ axis: node.int("axis", -1) }),
  infer(inputs, a) {
    const { dtype } = need(inputs, 2).type;
    const indices = need(inputs, 0).type.shape;
    const depth = need(inputs, 1).value;
    if (indices === null) return [{ dtype, shape: null }];
    const dim: Dim = depth === undefined ? unknownDim() : depthOf(depth);
    return [{ dtype, shape: indices.toSpliced(normalizeAxis(a.axis, indices.length + 1), 0, dim) }];
  },
  evaluate(inputs, a) {
    const indices = need(inputs, 0);
    const depth = depthOf(need(inputs, 1));
    const values = need(inputs, 2);
    if (values.size !== 2) throw new NonzeroError("shape", `expected [off, on], found shape [${values.shape}]`);
    const axis = normalizeAxis(a.axis, indices.shape.length + 1);
    const shape = checkShape(indices.shape.toSpliced(axis, 0, depth));
    const [off, on] = slotsOf(values) as [number, number];
    const slots = newSlots(values.dtype, sizeOf(shape)).fill(off);
    const inner = sizeOf(indices.shape.slice(axis));
    indices.numbers().forEach((value: number, i: number) => {
      const index = Math.trunc(value < 0 ? value + depth : value);
      if (index >= 0 && index < depth) slots[(Math.floor(i / inner) * depth + index) * inner + (i % inner)] = on;
    });
    return [fromSlots(values.dtype, shape, slots)];
  },
};

const depthOf = (depth: Tensor): number => Math.trunc(depth.item());
