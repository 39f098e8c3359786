import { normalizeAxis, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX LpNormalization: x divided by its L1 or L2 norm along `axis`; 0 where the norm is 0. */
export const lpNormalization: Operator<{ readonly axis: number; readonly p: number }> = {
  name: "LpNormalization",
  domain: "",
  attributes: (node) => {
    const p = node.int("p", 2);
    if (p !== 1 && p !== 2) node.fail("p", `${p} is neither 1 nor 2`);
    return { axis: node.int("axis", -1), p };
  },
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, { axis: axisOf, p }) => {
    const x = need(inputs, 0);
    const axis = normalizeAxis(axisOf, x.shape.length);
    const size = x.shape[axis]!;
    const stride = sizeOf(x.shape.slice(axis + 1));
    const values = x.numbers();
    const result = numbersFor(x.dtype, values.length);
    for (let start = 0; start < values.length; start += size * stride) {
      for (let at = start; at < start + stride; at++) {
        let norm = 0;
        for (let i = 0; i < size; i++) norm += Math.abs(values[at + i * stride]!) ** p;
        if (p === 2) norm = Math.sqrt(norm);
        for (let i = 0; i < size; i++) result[at + i * stride] = norm === 0 ? 0 : values[at + i * stride]! / norm;
      }
    }
    return [Tensor.from(x.dtype, x.shape, result)];
  },
};
