import type { Dim } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, Tensor } from "../../tensor/index.js";
import { elementsOf, gather, tensorOf } from "../elementwise.js";
import { expectDtype, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { splitAtAxis } from "../reduction.js";
import { isNumeric } from "./dtypes.js";

interface TopKAttributes {
  /** Null where k is input 1 (from opset 10 on). */
  readonly k: number | null;
  readonly axis: number;
  readonly largest: boolean;
}

/**
 * ONNX TopK: the k largest (or smallest) elements along `axis` (default -1) of a numeric tensor, and their indices (int64).
 * Always sorted, best first; of equal elements the first comes first, and NaN counts as the largest number.
 */
export const topK: Operator<TopKAttributes> = {
  name: "TopK",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({
    k: node.version < 10 ? node.int("k") : null,
    axis: node.int("axis", -1),
    largest: node.flag("largest", true),
  }),
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    expectDtype(dtype, isNumeric);
    const k = a.k ?? knownInts(need(inputs, 1))?.[0];
    if (shape === null || k === undefined) return [unknown(dtype), unknown("int64")];
    const axis = normalizeAxis(a.axis, shape.length);
    checkK(k, shape[axis]!);
    const result = shape.with(axis, k);
    return [
      { dtype, shape: result },
      { dtype: "int64", shape: result },
    ];
  },
  evaluate: (inputs, { k: attribute, axis: where, largest }) => {
    const x = need(inputs, 0);
    const k = attribute ?? need(inputs, 1).item();
    const axis = normalizeAxis(where, x.shape.length);
    const { outer, dim, inner } = splitAtAxis(x.shape, axis);
    checkK(k, dim);
    const values = elementsOf(x) as ArrayLike<number>; // or BigInts, which compare alike
    const positions = new Int32Array(outer * k * inner);
    const indices = new Int32Array(outer * k * inner);
    const order = new Uint32Array(dim);
    for (let o = 0; o < outer; o++) {
      for (let j = 0; j < inner; j++) {
        const at = (i: number): number => (o * dim + i) * inner + j;
        for (let i = 0; i < dim; i++) order[i] = i;
        order.sort((a, b) => (largest ? -1 : 1) * compare(values[at(a)]!, values[at(b)]!) || a - b);
        for (let i = 0; i < k; i++) {
          const to = (o * k + i) * inner + j;
          indices[to] = order[i]!;
          positions[to] = at(order[i]!);
        }
      }
    }
    const shape = x.shape.with(axis, k);
    return [tensorOf(x.dtype, shape, gather(values, positions)), Tensor.from("int64", shape, indices)];
  },
};

const unknown = (dtype: Tensor["dtype"]) => ({ dtype, shape: null });

/** NaN last. */
function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

function checkK(k: number, dim: Dim): void {
  if (!(k >= 0) || (typeof dim === "number" && k > dim)) {
    throw new NonzeroError("shape", `k is ${k}, of an axis with ${dim} elements`);
  }
}
