import { reduction } from "./reduce.js";

/** ONNX ReduceSumSquare: Σ x² over axes of a numeric tensor. */
export const reduceSumSquare = reduction("ReduceSumSquare", 18, {
  inDouble: (values, start, steps) => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]! ** 2;
    return sum;
  },
  exact: (values, start, steps) => {
    let sum = 0n;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]! ** 2n;
    return sum;
  },
});
