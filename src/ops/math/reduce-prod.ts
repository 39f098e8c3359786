import { reduction } from "./reduce.js";

/** ONNX ReduceProd: Π x over axes of a numeric tensor. */
export const reduceProd = reduction("ReduceProd", 18, {
  inDouble: (values, start, steps) => {
    let product = 1;
    for (let j = 0; j < steps.length; j++) product *= values[start + steps[j]!]!;
    return product;
  },
  exact: (values, start, steps) => {
    let product = 1n;
    for (let j = 0; j < steps.length; j++) product = BigInt.asIntN(64, product * values[start + steps[j]!]!);
    return product;
  },
});
