import { NonzeroError } from "./error.js";

/** Number of elements of a tensor of this shape; 1 for a scalar. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dim) => size * dim, 1);

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** `axis` counted from the front; throws when it is outside [-rank, rank). */
export function normalizeAxis(axis: number, rank: number, what = "axis"): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new NonzeroError("shape", `${what} ${axis} is outside [-${rank}, ${rank})`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** NumPy's broadcasting of several shapes into one. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const lead = rank - shape.length;
    for (let axis = 0; axis < shape.length; axis++) {
      const dim = shape[axis] as number;
      const have = result[lead + axis] as number;
      if (dim === have || dim === 1) continue;
      if (have !== 1)
        throw new NonzeroError("shape", `shapes ${shapes.map((s) => `[${s}]`).join(" and ")} do not broadcast`);
      result[lead + axis] = dim;
    }
  }
  return result;
}

/** Strides that read a tensor of `shape` as if it had the broadcast shape `target`: 0 along the axes that repeat. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((dim, axis) =>
    axis < lead || (shape[axis - lead] === 1 && dim !== 1) ? 0 : (strides[axis - lead] as number),
  );
}

/** Calls `visit(offset_0, …)` once for each index of `shape` in row-major order, with the offset that each list of strides gives it. */
export function forEachIndex(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (offsets: readonly number[], flat: number) => void,
): void {
  const total = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  const offsets = strides.map(() => 0);
  for (let flat = 0; flat < total; flat++) {
    visit(offsets, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      const carry = index[axis] === shape[axis];
      for (let k = 0; k < strides.length; k++) {
        const stride = (strides[k] as readonly number[])[axis] as number;
        offsets[k] = (offsets[k] as number) + (carry ? stride * (1 - (shape[axis] as number)) : stride);
      }
      if (!carry) break;
      index[axis] = 0;
    }
  }
}
