import { stridesOf, Tensor } from "../../tensor/index.js";
import { numbersFor, offsetsOf } from "../elementwise.js";
import { need, normalizeAxes } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX MeanVarianceNormalization: (x − mean) / (√variance + 1e-9), both over `axes` ([0, 2, 3] unless given). */
export const meanVarianceNormalization: Operator<{ readonly axes: readonly number[] }> = {
  name: "MeanVarianceNormalization",
  domain: "",
  attributes: (node) => ({ axes: node.ints("axes", [0, 2, 3]) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const axes = new Set(normalizeAxes(a.axes, x.shape.length));
    const strides = stridesOf(x.shape);
    const part = (reduced: boolean) => {
      const picked = x.shape.map((_, axis) => axis).filter((axis) => axes.has(axis) === reduced);
      return offsetsOf(
        picked.map((axis) => x.shape[axis]!),
        picked.map((axis) => strides[axis]!),
      );
    };
    const starts = part(false);
    const steps = part(true);
    const values = x.numbers();
    const result = numbersFor(x.dtype, values.length);
    for (const start of starts) {
      let mean = 0;
      for (let i = 0; i < steps.length; i++) mean += values[start + steps[i]!]!;
      mean /= steps.length;
      let variance = 0;
      for (let i = 0; i < steps.length; i++) variance += (values[start + steps[i]!]! - mean) ** 2;
      const deviation = Math.sqrt(variance / steps.length) + 1e-9;
      for (let i = 0; i < steps.length; i++)
        result[start + steps[i]!] = (values[start + steps[i]!]! - mean) / deviation;
    }
    return [Tensor.from(x.dtype, x.shape, result)];
  },
};
