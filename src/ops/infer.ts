import type { Dim, ValueType } from "../graph/index.js";
import { type DataType, NonzeroError, normalizeAxis, type Tensor } from "../tensor/index.js";
import type { Operand } from "./operator.js";

/** Shape inference's small tools: shapes whose dimensions may be names (symbolic), or null where even the rank is unknown. */

export type Dims = readonly Dim[] | null;

/** Input `index` of a node, which the operator needs. @throws NonzeroError "invalid-model" when the node leaves it out. */
export function need<T extends Tensor | Operand>(inputs: readonly (T | null)[], index: number): T {
  const input = inputs[index];
  if (input == null) throw new NonzeroError("invalid-model", "the input is missing", { field: `input ${index}` });
  return input;
}

/** The inputs that a variadic operator is given. @throws NonzeroError "invalid-model" when there is none. */
export function needAll<T extends Tensor | Operand>(inputs: readonly (T | null)[]): T[] {
  if (inputs.length === 0) throw new NonzeroError("invalid-model", "the node has no inputs");
  return inputs.map((_, index) => need(inputs, index));
}

/** @throws NonzeroError "shape" unless all inputs have one dtype, which is returned. */
export function sameDtype(types: readonly { readonly dtype: DataType }[]): DataType {
  const dtype = types[0]!.dtype;
  for (const type of types) {
    if (type.dtype !== dtype) {
      throw new NonzeroError("shape", `the inputs' dtypes differ: ${types.map((t) => t.dtype).join(", ")}`);
    }
  }
  return dtype;
}

/** @throws NonzeroError "shape" unless `dtype` is one of `allowed`, or `allowed` accepts it. */
export function expectDtype(dtype: DataType, allowed: readonly DataType[] | ((dtype: DataType) => boolean)): void {
  const fits = typeof allowed === "function" ? allowed(dtype) : allowed.includes(dtype);
  if (!fits) throw new NonzeroError("shape", `the operator is not defined for ${dtype}`);
}

/** True when every dimension is a number. */
export const isConcrete = (shape: Dims): shape is readonly number[] =>
  shape?.every((dim) => typeof dim === "number") ?? false;

/**
 * NumPy's broadcasting of shapes with names. A name beside a number other than 1 gives the number; two different names
 * give a third, made of both, as either may turn out to be 1. Null when any of the shapes is unknown.
 * @throws NonzeroError "shape" when numbers do not fit.
 */
export function broadcastDims(...shapes: readonly Dims[]): Dims {
  const known = shapes.filter((shape) => shape !== null);
  if (known.length < shapes.length) return null;
  const rank = Math.max(0, ...known.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dim = 1;
    for (const shape of known) {
      const at = axis - (rank - shape.length);
      if (at < 0) continue;
      const joined = broadcastDim(result, shape[at]!);
      if (joined === null) {
        throw new NonzeroError("shape", `shapes ${known.map((s) => `[${s}]`).join(" and ")} do not broadcast`);
      }
      result = joined;
    }
    return result;
  });
}

/** One dimension of the broadcast of two; null when they do not fit. */
export function broadcastDim(a: Dim, b: Dim): Dim | null {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === "number") return typeof b === "number" ? null : a;
  return typeof b === "number" ? b : `broadcast(${a},${b})`;
}

/** The type of the broadcast of `inputs`, with elements of `dtype` (by default the one that all inputs share). */
export function broadcastTypes(inputs: readonly Operand[], dtype = sameDtype(inputs.map((x) => x.type))): ValueType {
  return { dtype, shape: broadcastDims(...inputs.map((x) => x.type.shape)) };
}

/** The dimension that two equal ones are: the number where one is a number, else the first. @throws NonzeroError "shape" when they are different numbers. */
export function unifyDim(a: Dim, b: Dim, what = "dimensions"): Dim {
  if (typeof a === "number" && typeof b === "number" && a !== b) {
    throw new NonzeroError("shape", `${what} ${a} and ${b} differ`);
  }
  return typeof b === "number" ? b : a;
}

/** The known elements of an integer input that holds a shape, axes or the like; undefined when the value is not known yet. */
export function knownInts(operand: Operand | null | undefined): number[] | undefined {
  return operand?.value === undefined ? undefined : intsOf(operand.value);
}

/** The elements of an integer tensor that holds a shape, axes or the like, as numbers. */
export function intsOf(tensor: Tensor): number[] {
  return Array.from(tensor.numbers());
}

/** Axes counted from the front, sorted. @throws NonzeroError "shape" when one is out of range or named twice. */
export function normalizeAxes(axes: readonly number[], rank: number): number[] {
  const result = axes.map((axis) => normalizeAxis(axis, rank)).sort((a, b) => a - b);
  if (new Set(result).size < result.length) throw new NonzeroError("shape", `axes [${axes}] repeat an axis`);
  return result;
}
