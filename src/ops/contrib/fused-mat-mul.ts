import type { Dim } from "../../graph/index.js";
import { allocate, NonzeroError, type NumericArray, stridesOf, Tensor } from "../../tensor/index.js";
import { gather, mapNumbers, offsetsOf } from "../elementwise.js";
import { need } from "../infer.js";
import { matMul, matMulDims } from "../math/mat-mul.js";
import type { Operator } from "../operator.js";

export interface FusedMatMulAttributes {
  readonly alpha: number;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly transBatchA: boolean;
  readonly transBatchB: boolean;
}

/**
 * The axes of an operand as MatMul reads them: transBatch moves the first axis behind the batch axes (to rank − 2), trans then
 * swaps the last two. A vector stays as it is.
 */
function axesOf(rank: number, trans: boolean, transBatch: boolean): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  if (transBatch) {
    if (rank < 3) throw new NonzeroError("shape", `transBatch takes three axes or more, not ${rank}`);
    axes.splice(rank - 2, 0, axes.shift()!);
  }
  if (trans && rank >= 2) axes.push(...(axes.splice(rank - 2).reverse() as [number, number]));
  return axes;
}

const permutedDims = (shape: readonly Dim[] | null, trans: boolean, transBatch: boolean): Dim[] | null =>
  shape === null ? null : axesOf(shape.length, trans, transBatch).map((axis) => shape[axis]!);

function permuted(x: Tensor, trans: boolean, transBatch: boolean): Tensor {
  if (!trans && !transBatch) return x;
  const axes = axesOf(x.shape.length, trans, transBatch);
  const strides = stridesOf(x.shape);
  const shape = axes.map((axis) => x.shape[axis]!);
  const offsets = offsetsOf(
    shape,
    axes.map((axis) => strides[axis]!),
  );
  const data = x.size === 0 ? allocate(x.dtype, 0) : gather(x.data as Exclude<NumericArray, BigInt64Array>, offsets);
  return new Tensor(x.dtype, shape, data as NumericArray);
}

/** com.microsoft FusedMatMul: alpha · A' · B', as MatMul of A and B with their axes moved as `axesOf` says. */
export const fusedMatMul: Operator<FusedMatMulAttributes> = {
  name: "FusedMatMul",
  domain: "com.microsoft",
  attributes: (node) => ({
    alpha: node.float("alpha", 1),
    transA: node.flag("transA"),
    transB: node.flag("transB"),
    transBatchA: node.flag("transBatchA"),
    transBatchB: node.flag("transBatchB"),
  }),
  infer: (inputs, a) => {
    const [left, right] = [need(inputs, 0).type, need(inputs, 1).type];
    const shape = matMulDims(
      permutedDims(left.shape, a.transA, a.transBatchA),
      permutedDims(right.shape, a.transB, a.transBatchB),
    );
    return [{ dtype: left.dtype, shape }];
  },
  evaluate: (inputs, a, context) => {
    const { dtype } = need(inputs, 0);
    const left = permuted(need(inputs, 0), a.transA, a.transBatchA).to("float64");
    const right = permuted(need(inputs, 1), a.transB, a.transBatchB).to("float64");
    return [mapNumbers(matMul.evaluate([left, right], null, context)[0]!, (v) => a.alpha * v, dtype)];
  },
};
