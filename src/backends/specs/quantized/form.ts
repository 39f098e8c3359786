import type { Constant } from "../../../graph/index.js";
import { groupSizeOf, SparseTensor, type Stored } from "../../../layouts/index.js";

/** How a quantized weight that leaves nothing out is stored. */
export interface QuantizedForm {
  readonly bits: 8 | 4;
  /** Inputs that share a scale; null where a whole row does. */
  readonly group: number | null;
  /** A zero point beside each scale; without them it is 0 in the middle of the codes. */
  readonly zeroPoints: boolean;
}

/** Kernels widen 32 codes by one scale, and shift to find it. */
const isGroupSize = (size: number): boolean => size >= 32 && (size & (size - 1)) === 0;

/** The form of a matrix in layout `dense` with int8 values, or `dense:gG` with G a power of two from 32 on; null for all others. */
export function quantizedForm({ layout, parts }: Stored): QuantizedForm | null {
  if (layout === "dense") return parts.values!.dtype === "int8" ? { bits: 8, group: null, zeroPoints: false } : null;
  const group = groupSizeOf(layout);
  if (group === null || !isGroupSize(group)) return null;
  return { bits: parts.values!.dtype === "uint4" ? 4 : 8, group, zeroPoints: parts.zero_points !== undefined };
}

/** The stored matrix of a quantized constant; null for all others. */
export const quantizedMatrix = (constant: Constant | undefined): Stored | null =>
  constant instanceof SparseTensor && quantizedForm(constant.stored) !== null ? constant.stored : null;

export const formKey = ({ bits, group, zeroPoints }: QuantizedForm): string =>
  `${bits}/${group ?? "row"}${zeroPoints ? "/zeros" : ""}`;
