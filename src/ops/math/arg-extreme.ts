import { NonzeroError, normalizeAxis } from "../../tensor/index.js";
import { elementsOf, tensorOf } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { reducedShape, reductionOf } from "../reduction.js";
import { isNumeric } from "./dtypes.js";

type Ordered = number | bigint;

export interface ArgAttributes {
  readonly axis: number;
  readonly keepDims: boolean;
  readonly selectLastIndex: boolean;
}

/** Where along an axis of a numeric tensor the element lies that none is `better` than, as int64; the first such, or the last by `select_last_index`. */
export function argExtreme(name: string, better: (a: Ordered, b: Ordered) => boolean): Operator<ArgAttributes> {
  return {
    name,
    domain: "",
    attributes: (node) => ({
      axis: node.int("axis", 0),
      keepDims: node.flag("keepdims", true),
      selectLastIndex: node.flag("select_last_index"),
    }),
    infer: (inputs, { axis, keepDims }) => {
      const { dtype, shape } = need(inputs, 0).type;
      expectDtype(dtype, isNumeric);
      if (shape === null) return [{ dtype: "int64", shape: null }];
      return [{ dtype: "int64", shape: reducedShape(shape, [normalizeAxis(axis, shape.length)], keepDims) }];
    },
    evaluate: (inputs, { axis, keepDims, selectLastIndex }) => {
      const x = need(inputs, 0);
      const values = elementsOf(x) as ArrayLike<number>;
      const axes = [normalizeAxis(axis, x.shape.length)];
      const { starts, steps } = reductionOf(x.shape, axes);
      if (steps.length === 0) throw new NonzeroError("shape", `axis ${axis} of shape [${x.shape}] has no elements`);
      const indices = new Float64Array(starts.length);
      for (let i = 0; i < indices.length; i++) {
        let best = 0;
        for (let j = 1; j < steps.length; j++) {
          const [value, bestYet] = [values[starts[i]! + steps[j]!]!, values[starts[i]! + steps[best]!]!];
          if (better(value, bestYet) || (selectLastIndex && value === bestYet)) best = j;
        }
        indices[i] = best;
      }
      return [tensorOf("int64", reducedShape(x.shape, axes, keepDims), indices)];
    },
  };
}
