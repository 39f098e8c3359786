import { sizeOf, Tensor } from "../../src/tensor/index.js";
import type { InputFacts } from "./messages.js";

/** Values for every input: floats in [-1, 1), integers 0 or 1, bools false; a named dimension without a size is 1. */
export function randomFeeds(
  inputs: readonly InputFacts[],
  dims: Readonly<Record<string, number>>,
): Record<string, Tensor> {
  const feeds = inputs.map(({ name, dtype, shape }): [string, Tensor] => {
    if (dtype === "string") throw new Error(`the input '${name}' takes strings, which this page cannot make up`);
    const sizes = shape.map((dim) => (typeof dim === "number" ? dim : (dims[dim] ?? 1)));
    const float = dtype.startsWith("float") || dtype === "bfloat16";
    const values = Float64Array.from({ length: sizeOf(sizes) }, () =>
      float ? 2 * Math.random() - 1 : dtype === "bool" ? 0 : Math.floor(2 * Math.random()),
    );
    return [name, Tensor.from(dtype as Tensor["dtype"], sizes, values)];
  });
  return Object.fromEntries(feeds);
}
