import { NonzeroError, normalizeAxis } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, unknownDim } from "./dims.js";
import { take } from "./move.js";
import { paddedIndices } from "./pad.js";

interface CenterCropPadAttributes {
  /** Null stands for all axes. */
  readonly axes: readonly number[] | null;
}

/** ONNX CenterCropPad: each axis cropped or padded with zeros to the length in input 1, centred; odd cropping takes less, odd padding adds less, at the front. */
export const centerCropPad: Operator<CenterCropPadAttributes> = {
  name: "CenterCropPad",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({ axes: node.optional("axes", "ints") ?? null }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    const lengths = knownInts(need(inputs, 1));
    const axes = axesOf(a, shape.length, lengths?.length);
    return [
      { dtype, shape: shape.map((dim, i) => (axes.includes(i) ? (lengths?.[axes.indexOf(i)] ?? unknownDim()) : dim)) },
    ];
  },
  evaluate(inputs, a) {
    let x = need(inputs, 0);
    const lengths = intsOf(need(inputs, 1));
    checkShape(lengths);
    axesOf(a, x.shape.length, lengths.length).forEach((axis, i) => {
      const surplus = lengths[i]! - x.shape[axis]!;
      const front = Math.trunc(surplus / 2);
      if (surplus !== 0) x = take(x, axis, paddedIndices(x.shape[axis]!, front, surplus - front, "constant"));
    });
    return [x];
  },
};

function axesOf({ axes }: CenterCropPadAttributes, rank: number, lengths: number | undefined): number[] {
  const result = axes?.map((axis) => normalizeAxis(axis, rank)) ?? [...Array(rank).keys()];
  if (lengths !== undefined && lengths !== result.length)
    throw new NonzeroError("shape", `${lengths} lengths for ${result.length} axes`, { field: "shape" });
  return result;
}
