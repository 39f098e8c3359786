import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX LRN of x [N, C, …]: x / (bias + alpha / size · Σ x²)^beta, summed over `size` neighbouring channels (the odd one after). */
export const lrn: Operator<{
  readonly alpha: number;
  readonly beta: number;
  readonly bias: number;
  readonly size: number;
}> = {
  name: "LRN",
  domain: "",
  attributes: (node) => ({
    alpha: node.float("alpha", 1e-4),
    beta: node.float("beta", 0.75),
    bias: node.float("bias", 1),
    size: node.int("size"),
  }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, { alpha, beta, bias, size }) => {
    const x = need(inputs, 0);
    const [batch, channels] = x.shape as [number, number];
    if (x.shape.length < 2) throw new NonzeroError("shape", `expected [N, C, …], found [${x.shape}]`);
    const plane = sizeOf(x.shape.slice(2));
    const before = Math.floor((size - 1) / 2);
    const after = Math.ceil((size - 1) / 2);
    const values = x.numbers();
    const result = numbersFor(x.dtype, values.length);
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        const first = Math.max(0, c - before);
        const last = Math.min(channels - 1, c + after);
        for (let i = 0; i < plane; i++) {
          let squares = 0;
          for (let k = first; k <= last; k++) squares += values[(n * channels + k) * plane + i]! ** 2;
          const at = (n * channels + c) * plane + i;
          result[at] = values[at]! / (bias + (alpha / size) * squares) ** beta;
        }
      }
    }
    return [Tensor.from(x.dtype, x.shape, result)];
  },
};
