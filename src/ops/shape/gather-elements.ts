import { NonzeroError, normalizeAxis, stridesOf } from "../../tensor/index.js";
import { offsetsOf } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { normalizeIndex } from "./dims.js";
import { pick } from "./move.js";

interface GatherElementsAttributes {
  readonly axis: number;
}

/** ONNX GatherElements: out[i][j] = data[indices[i][j]][j] for axis 0, and so on; the result has the indices' shape. */
export const gatherElements: Operator<GatherElementsAttributes> = {
  name: "GatherElements",
  domain: "",
  attributes: (node) => ({ axis: node.int("axis", 0) }),
  infer: (inputs) => [{ dtype: need(inputs, 0).type.dtype, shape: need(inputs, 1).type.shape }],
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const indices = need(inputs, 1);
    return [pick(x, indices.shape, elementOffsets(x.shape, indices.shape, indices.numbers(), a.axis))];
  },
};

/**
 * For each position of `indices`, the offset in a tensor of `shape` of the same position with its coordinate along `axis`
 * replaced by the index. @throws NonzeroError "shape" when ranks differ or an index or position lies outside.
 */
export function elementOffsets(
  shape: readonly number[],
  indicesShape: readonly number[],
  indices: ArrayLike<number>,
  axis: number,
): Int32Array {
  const along = normalizeAxis(axis, shape.length);
  const fits = indicesShape.length === shape.length && shape.every((dim, i) => i === along || indicesShape[i]! <= dim);
  if (!fits) throw new NonzeroError("shape", `indices of shape [${indicesShape}] do not fit data of shape [${shape}]`);
  const strides = stridesOf(shape);
  const offsets = offsetsOf(indicesShape, strides.with(along, 0));
  const stride = strides[along]!;
  const dim = shape[along]!;
  for (let i = 0; i < offsets.length; i++) offsets[i] = offsets[i]! + normalizeIndex(indices[i]!, dim) * stride;
  return offsets;
}
