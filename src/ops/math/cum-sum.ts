import { is64BitInteger, normalizeAxis, type Tensor } from "../../tensor/index.js";
import { tensorOf } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { splitAtAxis } from "../reduction.js";
import { isNumeric } from "./dtypes.js";

interface CumSumAttributes {
  /** The element itself is left out of its sum. */
  readonly exclusive: boolean;
  /** Sums from the end. */
  readonly reverse: boolean;
}

/** ONNX CumSum: running sums along an axis (a scalar int input) of a numeric tensor; same shape and dtype. Integers wrap. */
export const cumSum: Operator<CumSumAttributes> = {
  name: "CumSum",
  domain: "",
  attributes: (node) => ({ exclusive: node.flag("exclusive"), reverse: node.flag("reverse") }),
  infer: (inputs) => {
    const { type } = need(inputs, 0);
    expectDtype(type.dtype, isNumeric);
    return [type];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const axis = normalizeAxis(need(inputs, 1).item(), x.shape.length);
    return [is64BitInteger(x.dtype) ? exactSums(x, axis, a) : sumsInDouble(x, axis, a)];
  },
};

function sumsInDouble(x: Tensor, axis: number, { exclusive, reverse }: CumSumAttributes): Tensor {
  const { outer, dim, inner } = splitAtAxis(x.shape, axis);
  const values = x.numbers();
  const sums = new Float64Array(values.length);
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < inner; j++) {
      let sum = 0;
      for (let i = 0; i < dim; i++) {
        const at = (o * dim + (reverse ? dim - 1 - i : i)) * inner + j;
        const next = sum + values[at]!;
        sums[at] = exclusive ? sum : next;
        sum = next;
      }
    }
  }
  return tensorOf(x.dtype, x.shape, sums);
}

function exactSums(x: Tensor, axis: number, { exclusive, reverse }: CumSumAttributes): Tensor {
  const { outer, dim, inner } = splitAtAxis(x.shape, axis);
  const values = x.bigints();
  const sums = Array.from(values, () => 0n);
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < inner; j++) {
      let sum = 0n;
      for (let i = 0; i < dim; i++) {
        const at = (o * dim + (reverse ? dim - 1 - i : i)) * inner + j;
        const next = sum + values[at]!;
        sums[at] = exclusive ? sum : next;
        sum = next;
      }
    }
  }
  return tensorOf(x.dtype, x.shape, sums);
}
