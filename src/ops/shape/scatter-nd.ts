import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { sliceOffsets } from "./gather-nd.js";
import { type Reduction, reductionOf, scatter } from "./reduce-into.js";

interface ScatterNDAttributes {
  readonly reduction: Reduction;
}

/** ONNX ScatterND: a copy of the data with the slices at the coordinates in the last axis of `indices` replaced by, or combined with, `updates`. */
export const scatterND: Operator<ScatterNDAttributes> = {
  name: "ScatterND",
  domain: "",
  attributes: (node) => ({ reduction: reductionOf(node) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate(inputs, { reduction }) {
    const x = need(inputs, 0);
    const { offsets, run } = sliceOffsets(x.shape, need(inputs, 1), 0);
    return [scatter(x, offsets, run, need(inputs, 2), reduction)];
  },
};
