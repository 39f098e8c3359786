import { reduction } from "./reduce.js";

/** ONNX ReduceMean: the mean over axes of a numeric tensor; truncated for integers, NaN for no elements. */
export const reduceMean = reduction("ReduceMean", 18, {
  inDouble: (values, start, steps) => {
    let sum = 0;
    for (let j = 0; j < steps.length; j++) sum += values[start + steps[j]!]!;
    return sum / steps.length;
  },
});
