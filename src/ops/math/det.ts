import { isFloat, NonzeroError, Tensor } from "../../tensor/index.js";
import { expectDtype, need, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX Det: determinants of the square matrices in the last two axes of a float tensor [..., n, n]; shape [...]. */
export const det: Operator<null> = {
  name: "Det",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const { dtype, shape } = need(inputs, 0).type;
    expectDtype(dtype, isFloat);
    if (shape === null) return [{ dtype, shape: null }];
    checkRank(shape.length);
    unifyDim(shape.at(-1)!, shape.at(-2)!, "the matrices' sides");
    return [{ dtype, shape: shape.slice(0, -2) }];
  },
  evaluate: (inputs) => {
    const x = need(inputs, 0);
    checkRank(x.shape.length);
    const n = unifyDim(x.shape.at(-1)!, x.shape.at(-2)!, "the matrices' sides") as number;
    const batch = x.shape.slice(0, -2);
    const values = Float64Array.from(x.numbers());
    const result = Tensor.zeros("float64", batch);
    const determinants = result.data as Float64Array;
    for (let b = 0; b < determinants.length; b++) {
      determinants[b] = determinant(values.subarray(b * n * n, (b + 1) * n * n), n);
    }
    return [result.to(x.dtype)];
  },
};

function checkRank(rank: number): void {
  if (rank < 2) throw new NonzeroError("shape", `expected matrices, not a tensor of rank ${rank}`);
}

/** By Gaussian elimination with partial pivoting; overwrites `a`, n × n. */
function determinant(a: Float64Array, n: number): number {
  let product = 1;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]!) > Math.abs(a[pivot * n + k]!)) pivot = i;
    if (a[pivot * n + k] === 0) return 0;
    if (pivot !== k) {
      product = -product;
      for (let j = k; j < n; j++) {
        const swapped = a[k * n + j]!;
        a[k * n + j] = a[pivot * n + j]!;
        a[pivot * n + j] = swapped;
      }
    }
    product *= a[k * n + k]!;
    for (let i = k + 1; i < n; i++) {
      const factor = a[i * n + k]! / a[k * n + k]!;
      for (let j = k; j < n; j++) a[i * n + j] = a[i * n + j]! - factor * a[k * n + j]!;
    }
  }
  return product;
}
