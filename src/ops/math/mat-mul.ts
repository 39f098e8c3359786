import type { Dim } from "../../graph/index.js";
import { broadcastShapes, broadcastStrides, isFloat, NonzeroError, sizeOf } from "../../tensor/index.js";
import { offsetsOf, tensorOf } from "../elementwise.js";
import { broadcastDims, type Dims, expectDtype, need, sameDtype, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";
import { addExactProduct, addProduct } from "./matrix-product.js";

/**
 * ONNX MatMul, as numpy.matmul: [..., m, k] times [..., k, n] gives [..., m, n], the leading axes broadcast; a vector is a row
 * on the left and a column on the right, and its axis is dropped from the result. Floats are accumulated in double, integers wrap.
 */
export const matMul: Operator<null> = {
  name: "MatMul",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const [a, b] = [need(inputs, 0).type, need(inputs, 1).type];
    const dtype = sameDtype([a, b]);
    expectDtype(dtype, isNumeric);
    return [{ dtype, shape: matMulDims(a.shape, b.shape) }];
  },
  evaluate: (inputs) => {
    const [a, b] = [need(inputs, 0), need(inputs, 1)];
    const dtype = sameDtype([a, b]);
    const shape = matMulDims(a.shape, b.shape) as number[];
    const [left, right] = [asMatrices(a.shape, "left"), asMatrices(b.shape, "right")];
    const [m, k, n] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
    const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
    const aBatch = offsetsOf(batch, broadcastStrides(left.slice(0, -2), batch));
    const bBatch = offsetsOf(batch, broadcastStrides(right.slice(0, -2), batch));
    const views = <V>(av: V, bv: V, i: number) =>
      [
        { values: av, start: aBatch[i]! * m * k, rowStride: k, columnStride: 1 },
        { values: bv, start: bBatch[i]! * k * n, rowStride: n, columnStride: 1 },
        [m, k, n],
      ] as const;
    if (isFloat(dtype)) {
      const [av, bv] = [a.numbers(), b.numbers()];
      const out = new Float64Array(sizeOf(batch) * m * n);
      for (let i = 0; i < aBatch.length; i++) addProduct(...views<ArrayLike<number>>(av, bv, i), out, i * m * n);
      return [tensorOf(dtype, shape, out)];
    }
    const [av, bv] = [a.bigints(), b.bigints()];
    const out = new Array<bigint>(sizeOf(batch) * m * n).fill(0n);
    for (let i = 0; i < aBatch.length; i++) addExactProduct(...views<ArrayLike<bigint>>(av, bv, i), out, i * m * n);
    return [tensorOf(dtype, shape, out)];
  },
};

/** A vector as a matrix: a row on the left, a column on the right. */
function asMatrices<D extends Dim>(shape: readonly D[], side: "left" | "right"): readonly (D | 1)[] {
  if (shape.length !== 1) return shape;
  return side === "left" ? [1, shape[0]!] : [shape[0]!, 1];
}

/** The shape of numpy.matmul's result. @throws NonzeroError "shape" when the shapes do not fit. */
export function matMulDims(a: Dims, b: Dims): Dims {
  if (a?.length === 0 || b?.length === 0) throw new NonzeroError("shape", "a scalar can't be multiplied as a matrix");
  if (a === null || b === null) return null;
  const [left, right] = [asMatrices(a, "left"), asMatrices(b, "right")];
  unifyDim(left.at(-1)!, right.at(-2)!, "the inner dimensions");
  const shape = [...broadcastDims(left.slice(0, -2), right.slice(0, -2))!];
  if (a.length > 1) shape.push(left.at(-2)!);
  if (b.length > 1) shape.push(right.at(-1)!);
  return shape;
}
