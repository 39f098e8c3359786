import { reduction } from "./reduce.js";

/** ONNX ReduceLogSumExp: log(Σ e^x) over axes of a numeric tensor, without overflow; truncated for integers, -∞ for no elements. */
export const reduceLogSumExp = reduction("ReduceLogSumExp", 18, {
  inDouble: (values, start, steps) => {
    let max = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < steps.length; j++) max = Math.max(max, values[start + steps[j]!]!);
    if (!Number.isFinite(max)) return max;
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += Math.exp(values[start + steps[j]!]! - max);
    return max + Math.log(sum);
  },
});
