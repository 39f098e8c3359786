import { reduction } from "./reduce.js";

/** ONNX ReduceLogSum: log(Σ x) over axes of a numeric tensor; truncated for integers, -∞ for no elements. */
export const reduceLogSum = reduction("ReduceLogSum", 18, {
  inDouble: (values, start, steps) => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]!;
    return Math.log(sum);
  },
});
