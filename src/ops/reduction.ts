import type { Dim } from "../graph/index.js";
import { sizeOf, stridesOf } from "../tensor/index.js";
import { offsetsOf } from "./elementwise.js";

/** The shape with `axes` (counted from the front) made 1, or dropped where `keepDims` is false. */
export function reducedShape<D extends Dim>(
  shape: readonly D[],
  axes: readonly number[],
  keepDims: boolean,
): (D | 1)[] {
  const kept = shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  return keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis));
}

/**
 * How a reduction reads its input: the elements that make up result i lie at `starts[i] + steps[j]` for all j, both in
 * row-major order (of the axes that stay, and of the axes that go).
 */
export interface Reduction {
  readonly starts: Int32Array;
  readonly steps: Int32Array;
}

/** The reduction of a row-major tensor of `shape` over `axes` (counted from the front). */
export function reductionOf(shape: readonly number[], axes: readonly number[]): Reduction {
  const strides = stridesOf(shape);
  const over = (keep: (axis: number) => boolean): Int32Array => {
    const chosen = shape.map((_, axis) => axis).filter(keep);
    return offsetsOf(
      chosen.map((axis) => shape[axis]!),
      chosen.map((axis) => strides[axis]!),
    );
  };
  return { starts: over((axis) => !axes.includes(axis)), steps: over((axis) => axes.includes(axis)) };
}

/**
 * A shape seen from one axis as [outer, dim, inner]: element (o, i, j) lies at (o * dim + i) * inner + j.
 * `axis` is counted from the front.
 */
export function splitAtAxis(shape: readonly number[], axis: number): { outer: number; dim: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), dim: shape[axis] ?? 1, inner: sizeOf(shape.slice(axis + 1)) };
}
