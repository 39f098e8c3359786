import type { ValueType } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { unknownDim } from "../shape/dims.js";

/**
 * The narrowest type that both are: dimensions that differ become unknown, a shape whose rank differs null.
 * @throws NonzeroError "shape" when the dtypes differ.
 */
export function mergeTypes(a: ValueType, b: ValueType): ValueType {
  if (a.dtype !== b.dtype) throw new NonzeroError("shape", `one value is ${a.dtype} and ${b.dtype}`);
  if (a.shape === null || b.shape === null || a.shape.length !== b.shape.length) return { dtype: a.dtype, shape: null };
  return { dtype: a.dtype, shape: a.shape.map((dim, i) => (dim === b.shape![i] ? dim : unknownDim())) };
}

export const sameType = (a: ValueType, b: ValueType): boolean => a.dtype === b.dtype && `${a.shape}` === `${b.shape}`;
