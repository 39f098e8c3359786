import {
  allocate,
  type DataType,
  NonzeroError,
  sizeOf,
  stridesOf,
  Tensor,
  type TensorData,
} from "../../tensor/index.js";
import { gather, offsetsOf } from "../elementwise.js";

/**
 * Moving elements about without reading them. `Slots` are a tensor's elements as they are stored, one to a slot: the data
 * itself (raw bits of float16, BigInts, strings) for all dtypes but int4 and uint4, which are unpacked.
 * The type says number[], so that loops can be written; nothing but assignment is meant.
 */
export type Slots = number[];

const isPacked = (dtype: DataType): boolean => dtype === "int4" || dtype === "uint4";

/** The elements of `x`, not to be written to. */
export const slotsOf = (x: Tensor): Slots => (isPacked(x.dtype) ? x.numbers() : x.data) as unknown as Slots;

/** Slots for `count` elements of `dtype`: zeros, false or empty strings. */
export const newSlots = (dtype: DataType, count: number): Slots =>
  allocate(isPacked(dtype) ? "int8" : dtype, count) as unknown as Slots;

/** The tensor that holds `slots`; shares them where the dtype is not packed. */
export function fromSlots(dtype: DataType, shape: readonly number[], slots: Slots): Tensor {
  if (isPacked(dtype)) return Tensor.from(dtype, shape, slots);
  return new Tensor(dtype, shape, slots as unknown as TensorData);
}

/** Copies `count` slots. */
export function copyRun(from: Slots, start: number, to: Slots, at: number, count: number): void {
  if (count >= 32 && !Array.isArray(from)) {
    (to as unknown as Uint8Array).set((from as unknown as Uint8Array).subarray(start, start + count), at);
    return;
  }
  for (let i = 0; i < count; i++) to[at + i] = from[start + i]!;
}

/** A tensor of `shape` whose elements are those of `x` at the row-major `offsets`. */
export const pick = (x: Tensor, shape: readonly number[], offsets: Int32Array): Tensor =>
  fromSlots(x.dtype, shape, gather(slotsOf(x) as ArrayLike<number>, offsets) as Slots);

/** The transpose of `x`: output axis i is input axis `perm[i]`. */
export function permute(x: Tensor, perm: readonly number[]): Tensor {
  const shape = perm.map((axis) => x.shape[axis]!);
  const strides = stridesOf(x.shape);
  return pick(
    x,
    shape,
    offsetsOf(
      shape,
      perm.map((axis) => strides[axis]!),
    ),
  );
}

/**
 * Slices of `x` along `axis`, in the order of `indices` (NumPy's take): the axis gets the length of `indices`. An index of
 * -1 stands for a slice full of `fill`, a tensor of one element (zero, false or "" by default).
 */
export function take(x: Tensor, axis: number, indices: ArrayLike<number>, fill?: Tensor): Tensor {
  const dim = x.shape[axis]!;
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  const shape = x.shape.with(axis, indices.length);
  const from = slotsOf(x);
  const to = newSlots(x.dtype, sizeOf(shape));
  if (fill !== undefined) to.fill(slotsOf(fill)[0]!);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!;
      if (index >= 0) copyRun(from, (o * dim + index) * inner, to, (o * indices.length + i) * inner, inner);
    }
  }
  return fromSlots(x.dtype, shape, to);
}

/** `take` for consecutive indices: elements [start, start + length) of the axis. */
export function cut(x: Tensor, axis: number, start: number, length: number): Tensor {
  const dim = x.shape[axis]!;
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  const from = slotsOf(x);
  const to = newSlots(x.dtype, outer * length * inner);
  for (let o = 0; o < outer; o++) copyRun(from, (o * dim + start) * inner, to, o * length * inner, length * inner);
  return fromSlots(x.dtype, x.shape.with(axis, length), to);
}

/**
 * Tensors of one dtype whose shapes agree but for `axis`, one after the other along it.
 * @throws NonzeroError "shape" when they do not.
 */
export function concatenate(tensors: readonly Tensor[], axis: number): Tensor {
  const first = tensors[0]!;
  const frame = (x: Tensor): string => `${x.dtype} ${x.shape.map((dim, i) => (i === axis ? "*" : dim))}`;
  for (const x of tensors) {
    if (frame(x) !== frame(first))
      throw new NonzeroError("shape", `${x.dtype} [${x.shape}] does not continue ${first.dtype} [${first.shape}]`);
  }
  const length = tensors.reduce((sum, x) => sum + x.shape[axis]!, 0);
  const shape = first.shape.with(axis, length);
  const outer = sizeOf(shape.slice(0, axis));
  const inner = sizeOf(shape.slice(axis + 1));
  const to = newSlots(first.dtype, sizeOf(shape));
  let at = 0;
  for (const x of tensors) {
    const from = slotsOf(x);
    const run = x.shape[axis]! * inner;
    for (let o = 0; o < outer; o++) copyRun(from, o * run, to, o * length * inner + at, run);
    at += run;
  }
  return fromSlots(first.dtype, shape, to);
}

/** Tensors of one dtype and shape along a new axis (NumPy's stack). */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  return concatenate(
    tensors.map((x) => x.reshape(x.shape.toSpliced(axis, 0, 1))),
    axis,
  );
}
