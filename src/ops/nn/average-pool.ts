import { sizeOf, stridesOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { type PoolAttributes, planPool, poolAttributes, poolDims } from "./pool.js";
import type { Window } from "./window.js";

export interface AveragePoolAttributes extends PoolAttributes {
  readonly countIncludePad: boolean;
}

/**
 * What each window's sum is divided by: its taps inside the input, or with count_include_pad inside the padded input
 * (taps beyond the padding, which ceil_mode makes, never count).
 */
export function averageDivisors(window: Window, countIncludePad: boolean): Float64Array {
  const { input, output, kernel, strides, dilations, padsBegin, padsEnd } = window;
  const divisors = new Float64Array(sizeOf(output)).fill(1);
  const outputStrides = stridesOf(output);
  for (let axis = 0; axis < output.length; axis++) {
    const low = countIncludePad ? -padsBegin[axis]! : 0;
    const high = input[axis]! + (countIncludePad ? padsEnd[axis]! : 0);
    const counts = new Float64Array(output[axis]!);
    for (let o = 0; o < counts.length; o++) {
      for (let k = 0; k < kernel[axis]!; k++) {
        const at = o * strides[axis]! + k * dilations[axis]! - padsBegin[axis]!;
        if (at >= low && at < high) counts[o]!++;
      }
    }
    for (let i = 0; i < divisors.length; i++)
      divisors[i]! *= counts[Math.floor(i / outputStrides[axis]!) % output[axis]!]!;
  }
  return divisors;
}

/** ONNX AveragePool: the mean of each window of x [N, C, spatial…]; `averageDivisors` says what counts. */
export const averagePool: Operator<AveragePoolAttributes> = {
  name: "AveragePool",
  domain: "",
  attributes: (node) => ({ ...poolAttributes(node), countIncludePad: node.flag("count_include_pad") }),
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: poolDims(shape, a) }];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const { window, taps, planes, inputSize, outputSize, shape } = planPool(x, a);
    const { count, step, starts, out, input, length } = taps;
    const values = x.numbers();
    const divisors = averageDivisors(window, a.countIncludePad);
    const sums = new Float64Array(outputSize);
    const result = numbersFor(x.dtype, sizeOf(shape));
    for (let plane = 0; plane < planes; plane++) {
      sums.fill(0);
      for (let tap = 0; tap < count; tap++) {
        for (let run = starts[tap]!; run < starts[tap + 1]!; run++) {
          const from = plane * inputSize + input[run]!;
          for (let i = 0; i < length[run]!; i++) sums[out[run]! + i]! += values[from + i * step]!;
        }
      }
      for (let i = 0; i < outputSize; i++) result[plane * outputSize + i] = sums[i]! / divisors[i]!;
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
