import { sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { type PoolAttributes, planPool, poolAttributes, poolDims } from "./pool.js";

/** ONNX LpPool: (Σ |x|^p)^(1/p) over each window of x [N, C, spatial…]; p is 2 unless given. */
export const lpPool: Operator<PoolAttributes & { readonly p: number }> = {
  name: "LpPool",
  domain: "",
  attributes: (node) => ({ ...poolAttributes(node), p: node.int("p", 2) }),
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: poolDims(shape, a) }];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const { taps, planes, inputSize, outputSize, shape } = planPool(x, a);
    const { count, step, starts, out, input, length } = taps;
    const values = x.numbers();
    const sums = new Float64Array(outputSize);
    const result = numbersFor(x.dtype, sizeOf(shape));
    for (let plane = 0; plane < planes; plane++) {
      sums.fill(0);
      for (let tap = 0; tap < count; tap++) {
        for (let run = starts[tap]!; run < starts[tap + 1]!; run++) {
          const from = plane * inputSize + input[run]!;
          for (let i = 0; i < length[run]!; i++) sums[out[run]! + i]! += Math.abs(values[from + i * step]!) ** a.p;
        }
      }
      for (let i = 0; i < outputSize; i++) result[plane * outputSize + i] = sums[i]! ** (1 / a.p);
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
