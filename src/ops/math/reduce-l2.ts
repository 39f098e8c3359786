import { reduction } from "./reduce.js";

/** ONNX ReduceL2: √(Σ x²) over axes of a numeric tensor; truncated for integers. */
export const reduceL2 = reduction("ReduceL2", 18, {
  inDouble: (values, start, steps) => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]! ** 2;
    return Math.sqrt(sum);
  },
});
