import { isFloat, normalizeAxis, sizeOf, Tensor } from "../../tensor/index.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { splitAtAxis } from "../reduction.js";

/** What lies along one line of a tensor: elements `start`, `start + stride`, … of `x`, `count` of them, to be written to the same places of `out`. */
export type LineFunction = (
  x: ArrayLike<number>,
  out: Float64Array,
  start: number,
  stride: number,
  count: number,
) => void;

/**
 * A function of each line of a float tensor along `axis` (default -1); same shape and dtype. Before opset 13 the tensor is
 * taken as a matrix instead, the axes from `axis` (default 1) on flattened into its rows.
 */
export function normalized(name: string, line: LineFunction): Operator<{ axis: number; flatten: boolean }> {
  return {
    name,
    domain: "",
    attributes: (node) => {
      const flatten = node.version < 13;
      return { axis: node.int("axis", flatten ? 1 : -1), flatten };
    },
    infer: (inputs, { axis, flatten }) => {
      const { type } = need(inputs, 0);
      expectDtype(type.dtype, isFloat);
      if (type.shape !== null) checkedAxis(axis, type.shape.length, flatten);
      return [type];
    },
    evaluate: (inputs, { axis, flatten }) => {
      const x = need(inputs, 0);
      const values = x.numbers();
      const out = new Float64Array(values.length);
      const at = checkedAxis(axis, x.shape.length, flatten);
      const split = splitAtAxis(x.shape, at);
      const { outer, dim, inner } = flatten ? { outer: split.outer, dim: sizeOf(x.shape.slice(at)), inner: 1 } : split;
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++) line(values, out, o * dim * inner + i, inner, dim);
      }
      return [Tensor.from(x.dtype, x.shape, out)];
    },
  };
}

/** A flattened matrix may have all axes before its rows, each of which is then one element. */
const checkedAxis = (axis: number, rank: number, flatten: boolean): number =>
  flatten && axis === rank ? axis : normalizeAxis(axis, rank);
