import { isNumeric } from "./dtypes.js";
import { lowestOf, reduction } from "./reduce.js";

/** ONNX ReduceMax: the largest element over axes of a numeric or bool tensor; NaN where any is NaN, the dtype's least value for no elements. */
export const reduceMax = reduction("ReduceMax", 18, {
  inDouble: (values, start, steps) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < steps.length; j++) best = Math.max(best, values[start + steps[j]!]!);
    return best;
  },
  exact: (values, start, steps) => {
    let best = values[start + steps[0]!]!;
    for (let j = 1; j < steps.length; j++) {
      const value = values[start + steps[j]!]!;
      if (value > best) best = value;
    }
    return best;
  },
  ofNone: lowestOf,
  accepts: (dtype) => isNumeric(dtype) || dtype === "bool",
});
