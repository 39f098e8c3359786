import type { Dim } from "../../graph/index.js";
import { broadcastShapes, isFloat, NonzeroError, type Tensor } from "../../tensor/index.js";
import { broadcastValues, tensorOf } from "../elementwise.js";
import { type Dims, expectDtype, isConcrete, need, sameDtype, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";
import { addExactProduct, addProduct, type MatrixView } from "./matrix-product.js";

export interface GemmAttributes {
  readonly alpha: number;
  readonly beta: number;
  readonly transA: boolean;
  readonly transB: boolean;
}

/**
 * ONNX Gemm: alpha · A' · B' + beta · C, of matrices of one numeric dtype: A' is [M, K] (A is [K, M] with `transA`), B' is [K, N] (B is
 * [N, K] with `transB`), C is optional and broadcasts to [M, N]. Floats are accumulated in double, integers wrap.
 */
export const gemm: Operator<GemmAttributes> = {
  name: "Gemm",
  domain: "",
  attributes: (node) => ({
    alpha: node.float("alpha", 1),
    beta: node.float("beta", 1),
    transA: node.flag("transA"),
    transB: node.flag("transB"),
  }),
  infer: (inputs, attributes) => {
    const [a, b, c] = [need(inputs, 0).type, need(inputs, 1).type, inputs[2]?.type];
    const dtype = sameDtype(c === undefined ? [a, b] : [a, b, c]);
    expectDtype(dtype, isNumeric);
    const sides = sidesOf(a.shape, b.shape, attributes);
    if (sides === null) return [{ dtype, shape: null }];
    const shape = [sides.m, sides.n];
    if (c !== undefined && isConcrete(c.shape) && isConcrete(shape)) checkBroadcast(c.shape, shape);
    return [{ dtype, shape }];
  },
  evaluate: (inputs, attributes) => {
    const [a, b, c] = [need(inputs, 0), need(inputs, 1), inputs[2] ?? null];
    const dtype = sameDtype(c === null ? [a, b] : [a, b, c]);
    const { m, k, n } = sidesOf(a.shape, b.shape, attributes) as { m: number; k: number; n: number };
    if (c !== null) checkBroadcast(c.shape, [m, n]);
    const { alpha, beta, transA, transB } = attributes;
    const size = [m, k, n] as const;
    if (isFloat(dtype) || alpha !== 1 || beta !== 1) {
      const out = new Float64Array(m * n);
      addProduct(viewOf(a.numbers(), m, k, transA), viewOf(b.numbers(), k, n, transB), size, out);
      const bias = c && broadcastValues(c.numbers(), c.shape, [m, n]);
      for (let i = 0; i < out.length; i++) out[i] = alpha * out[i]! + (bias ? beta * bias[i]! : 0);
      return [tensorOf(dtype, [m, n], out)];
    }
    const out = c ? Array.from(exactBias(c, [m, n])) : new Array<bigint>(m * n).fill(0n);
    addExactProduct(viewOf(a.bigints(), m, k, transA), viewOf(b.bigints(), k, n, transB), size, out);
    return [tensorOf(dtype, [m, n], out)];
  },
};

const exactBias = (c: Tensor, shape: readonly number[]): ArrayLike<bigint> & Iterable<bigint> =>
  broadcastValues(c.bigints(), c.shape, shape);

/** A row-major [rows, columns] matrix, stored as [columns, rows] when `transposed`. */
const viewOf = <V>(values: V, rows: number, columns: number, transposed: boolean): MatrixView<V> => ({
  values,
  start: 0,
  rowStride: transposed ? 1 : columns,
  columnStride: transposed ? rows : 1,
});

function sidesOf(a: Dims, b: Dims, { transA, transB }: GemmAttributes): { m: Dim; k: Dim; n: Dim } | null {
  for (const shape of [a, b]) {
    if (shape !== null && shape.length !== 2) {
      throw new NonzeroError("shape", `expected a matrix, not shape [${shape}]`);
    }
  }
  if (a === null || b === null) return null;
  const [m, k] = (transA ? [a[1], a[0]] : a) as [Dim, Dim];
  const [k2, n] = (transB ? [b[1], b[0]] : b) as [Dim, Dim];
  return { m, k: unifyDim(k, k2, "the inner dimensions"), n };
}

function checkBroadcast(c: readonly number[], shape: readonly number[]): void {
  const both = broadcastShapes(c, shape);
  if (both.length !== 2 || both.some((dim, axis) => dim !== shape[axis])) {
    throw new NonzeroError("shape", `C of shape [${c}] does not broadcast to [${shape}]`);
  }
}
