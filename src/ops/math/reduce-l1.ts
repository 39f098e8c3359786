import { reduction } from "./reduce.js";

/** ONNX ReduceL1: Σ |x| over axes of a numeric tensor. */
export const reduceL1 = reduction("ReduceL1", 18, {
  inDouble: (values, start, steps) => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += Math.abs(values[start + steps[j]!]!);
    return sum;
  },
  exact: (values, start, steps) => {
    let sum = 0n;
    for (let j = 0; j < steps.length; j++) {
      const value = values[start + steps[j]!]!;
      sum += value < 0n ? -value : value;
    }
    return sum;
  },
});
