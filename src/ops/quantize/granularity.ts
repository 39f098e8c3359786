import type { Dim } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, sizeOf, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { isConcrete } from "../infer.js";

export interface GranularityAttributes {
  readonly axis: number;
  /** From opset 21: how many elements along `axis` share a scale; 0 where each has its own, or all share one. */
  readonly blockSize: number;
}

export function granularityAttributes(node: Attributes): GranularityAttributes {
  const blockSize = node.version >= 21 ? node.int("block_size", 0) : 0;
  if (blockSize < 0) node.fail("block_size", `${blockSize} is negative`);
  return { axis: node.version >= 13 ? node.int("axis", 1) : 1, blockSize };
}

/**
 * Which scale belongs to which element of a tensor seen as [outer, dim, inner]: element (o, i, j) has the scale at
 * o * outerStride + floor(i / block) * stride + j * innerStride.
 */
export interface Granularity {
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
  readonly block: number;
  readonly outerStride: number;
  readonly stride: number;
  readonly innerStride: number;
}

/**
 * The granularity that ONNX reads off the shape of the scale: per tensor (one element), per axis (a vector) or blocked
 * (the shape of x, but for fewer entries along the axis).
 * @throws NonzeroError "shape" when the scale does not fit.
 */
export function granularityOf(
  shape: readonly number[],
  scale: readonly number[],
  { axis, blockSize }: GranularityAttributes,
): Granularity {
  const fail = (): never => {
    throw new NonzeroError("shape", `a scale of shape [${scale}] does not fit [${shape}] along axis ${axis}`);
  };
  if (blockSize === 0 && sizeOf(scale) === 1 && scale.length <= 1)
    return { outer: 1, dim: 1, inner: sizeOf(shape), block: 1, outerStride: 0, stride: 0, innerStride: 0 };
  const at = normalizeAxis(axis, shape.length);
  const dim = shape[at]!;
  const outer = sizeOf(shape.slice(0, at));
  const inner = sizeOf(shape.slice(at + 1));
  if (blockSize === 0) {
    if (scale.length !== 1 || scale[0] !== dim) fail();
    return { outer, dim, inner, block: 1, outerStride: 0, stride: 1, innerStride: 0 };
  }
  const blocks = Math.ceil(dim / blockSize);
  if (scale.length !== shape.length || scale.some((s, i) => s !== (i === at ? blocks : shape[i]))) fail();
  return { outer, dim, inner, block: blockSize, outerStride: blocks * inner, stride: inner, innerStride: 1 };
}

/** The levels that stand for 0, one per scale; zeros where there is no zero point. @throws NonzeroError "shape" when their number differs. */
export function zeroPointsOf(zeroPoint: Tensor | null, scale: Tensor): ArrayLike<number> {
  if (zeroPoint === null) return new Int8Array(scale.size);
  if (zeroPoint.size !== scale.size)
    throw new NonzeroError("shape", `zero points [${zeroPoint.shape}] beside scales [${scale.shape}]`);
  return zeroPoint.numbers();
}

/** @throws NonzeroError "shape" when shapes that are known do not fit. */
export function checkGranularity(
  x: readonly Dim[] | null,
  scale: readonly Dim[] | null,
  a: GranularityAttributes,
): void {
  if (isConcrete(x) && isConcrete(scale)) granularityOf(x, scale, a);
}
