import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { elementOffsets } from "./gather-elements.js";
import { type Reduction, reductionOf, scatter } from "./reduce-into.js";

interface ScatterElementsAttributes {
  readonly axis: number;
  readonly reduction: Reduction;
}

/**
 * ONNX ScatterElements: a copy of the data with out[indices[i][j]][j] = updates[i][j] for axis 0, and so on; `reduction`
 * combines instead of replacing, repeated indices in order.
 */
export const scatterElements: Operator<ScatterElementsAttributes> = {
  name: "ScatterElements",
  domain: "",
  attributes: (node) => ({ axis: node.int("axis", 0), reduction: reductionOf(node) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate(inputs, { axis, reduction }) {
    const x = need(inputs, 0);
    const indices = need(inputs, 1);
    const updates = need(inputs, 2);
    if (`${indices.shape}` !== `${updates.shape}`)
      throw new NonzeroError("shape", `indices [${indices.shape}] and updates [${updates.shape}] differ in shape`);
    return [scatter(x, elementOffsets(x.shape, indices.shape, indices.numbers(), axis), 1, updates, reduction)];
  },
};

/** ONNX Scatter (opset 9 and 10, deprecated since): ScatterElements without a reduction. */
export const scatterOperator: Operator<ScatterElementsAttributes> = { ...scatterElements, name: "Scatter" };
