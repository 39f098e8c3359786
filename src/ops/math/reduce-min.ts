import { isNumeric } from "./dtypes.js";
import { highestOf, reduction } from "./reduce.js";

/** ONNX ReduceMin: the smallest element over axes of a numeric or bool tensor; NaN where any is NaN, the dtype's greatest value for no elements. */
export const reduceMin = reduction("ReduceMin", 18, {
  inDouble: (values, start, steps) => {
    let best = Number.POSITIVE_INFINITY;
    for (let j = 0; j < steps.length; j++) best = Math.min(best, values[start + steps[j]!]!);
    return best;
  },
  exact: (values, start, steps) => {
    let best = values[start + steps[0]!]!;
    for (let j = 1; j < steps.length; j++) {
      const value = values[start + steps[j]!]!;
      if (value < best) best = value;
    }
    return best;
  },
  ofNone: highestOf,
  accepts: (dtype) => isNumeric(dtype) || dtype === "bool",
});
