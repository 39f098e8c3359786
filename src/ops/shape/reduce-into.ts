import { type DataType, NonzeroError, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { elementsOf, tensorOf } from "../elementwise.js";

/** What ScatterElements and ScatterND do with an update: replace the element, or combine the two. */
export type Reduction = "none" | "add" | "mul" | "min" | "max";

/** The attribute `reduction`: none before opset 16, none, add or mul before 18. */
export function reductionOf(node: Attributes): Reduction {
  if (node.version < 16) return "none";
  return node.oneOf<Reduction>(
    "reduction",
    node.version < 18 ? ["none", "add", "mul"] : ["none", "add", "mul", "min", "max"],
    "none",
  );
}

/**
 * A copy of `x` with update i written, or reduced, to the `run` elements that start at offsets[i]; in order, so that
 * repeated offsets accumulate. Numbers are rounded to the dtype at the end, integers wrap.
 */
export function scatter(x: Tensor, offsets: Int32Array, run: number, updates: Tensor, reduction: Reduction): Tensor {
  if (updates.size !== offsets.length * run)
    throw new NonzeroError("shape", `updates of shape [${updates.shape}] do not fit the indices`, { field: "updates" });
  const to = (elementsOf(x) as number[]).slice();
  const from = elementsOf(updates) as number[];
  const combine = combinerOf(reduction, x.dtype);
  for (let i = 0; i < offsets.length; i++) {
    const start = offsets[i]!;
    for (let j = 0; j < run; j++) {
      const update = from[i * run + j]!;
      to[start + j] = combine === null ? update : combine(to[start + j]!, update);
    }
  }
  return tensorOf(x.dtype, x.shape, to);
}

/** The functions work on BigInts as they do on numbers. */
function combinerOf(reduction: Reduction, dtype: DataType): ((a: number, b: number) => number) | null {
  if (reduction !== "none" && dtype === "string")
    throw new NonzeroError("shape", `reduction '${reduction}' is not defined for strings`, { field: "reduction" });
  switch (reduction) {
    case "none":
      return null;
    case "add":
      return (a, b) => a + b;
    case "mul":
      return dtype === "int32" || dtype === "uint32" ? Math.imul : (a, b) => a * b;
    // NaN wins, on either side.
    case "min":
      return (a, b) => (b < a || Number.isNaN(b) ? b : a);
    case "max":
      return (a, b) => (b > a || Number.isNaN(b) ? b : a);
  }
}
