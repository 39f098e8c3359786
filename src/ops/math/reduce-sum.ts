import { reduction } from "./reduce.js";

/** ONNX ReduceSum: Σ x over axes of a numeric tensor. */
export const reduceSum = reduction("ReduceSum", 13, {
  inDouble: (values, start, steps) => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]!;
    return sum;
  },
  exact: (values, start, steps) => {
    let sum = 0n;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]!;
    return sum;
  },
});
