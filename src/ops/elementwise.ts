import {
  allocate,
  broadcastShapes,
  broadcastStrides,
  type DataType,
  is64BitInteger,
  sizeOf,
  Tensor,
} from "../tensor/index.js";

/**
 * What elementwise evaluation shares. Floats (and integers up to 32 bits) are computed as doubles and rounded or wrapped
 * once, when they are stored; int64 and uint64 are computed exactly, as BigInts, and wrapped modulo 2^64.
 */

/** An element as it is computed with: a BigInt for int64 and uint64, a string for string, a number for all others. */
export type Element = number | bigint | string;

/** Offsets of every index of `shape`, in row-major order, under `strides` and starting at `base`. */
export function offsetsOf(shape: readonly number[], strides: readonly number[], base = 0): Int32Array {
  const offsets = new Int32Array(sizeOf(shape));
  if (offsets.length === 0) return offsets;
  offsets[0] = base;
  let filled = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const dim = shape[axis]!;
    for (let i = 1; i < dim; i++) {
      const shift = i * strides[axis]!;
      for (let j = 0; j < filled; j++) offsets[i * filled + j] = offsets[j]! + shift;
    }
    filled *= dim;
  }
  return offsets;
}

export type Elements = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<string>;

/** The elements at `offsets`, in the same kind of array. */
export function gather<T extends Elements>(values: T, offsets: Int32Array): T {
  const from = values as unknown as { [index: number]: unknown; constructor: new (length: number) => unknown };
  const result = new from.constructor(offsets.length) as { [index: number]: unknown };
  for (let i = 0; i < offsets.length; i++) result[i] = from[offsets[i]!];
  return result as T;
}

/** `values`, a row-major array of `shape`, repeated to `target` as NumPy broadcasts; the same array when nothing repeats. */
export function broadcastValues<T extends Elements>(values: T, shape: readonly number[], target: readonly number[]): T {
  if (sizeOf(shape) === sizeOf(target) && sizeOf(shape) > 0) return values;
  return gather(values, offsetsOf(target, broadcastStrides(shape, target)));
}

/** The elements of any tensor in the form that they are computed with. */
export function elementsOf(x: Tensor): Elements {
  if (x.dtype === "string") return x.strings();
  return is64BitInteger(x.dtype) ? x.bigints() : x.numbers();
}

/** An array for results of `dtype` before they are stored: `Tensor.from` rounds or wraps what it holds to `dtype`. */
export const numbersFor = (dtype: DataType, count: number): Float32Array | Float64Array =>
  dtype === "float32" ? new Float32Array(count) : new Float64Array(count);

/** A tensor of elements as they were computed: BigInts (wrapped to an integer dtype), strings, or numbers (rounded or wrapped). */
export function tensorOf(dtype: DataType, shape: readonly number[], elements: Elements): Tensor {
  if (dtype === "string") return new Tensor(dtype, shape, Array.from(elements as ArrayLike<string>));
  if (typeof elements[0] !== "bigint") return Tensor.from(dtype, shape, elements as ArrayLike<number>);
  const list = elements as ArrayLike<bigint>;
  if (!is64BitInteger(dtype)) {
    const low = Float64Array.from({ length: list.length }, (_, i) => Number(BigInt.asIntN(32, list[i]!)));
    return Tensor.from(dtype, shape, low);
  }
  const data = allocate(dtype, list.length) as BigInt64Array;
  for (let i = 0; i < list.length; i++) data[i] = list[i]!; // wraps modulo 2^64
  return new Tensor(dtype, shape, data);
}

/** f of each element, as a tensor of `dtype` (x's own by default). int64 and uint64 pass through doubles. */
export function mapNumbers(x: Tensor, f: (v: number) => number, dtype: DataType = x.dtype): Tensor {
  const values = x.numbers();
  const result = numbersFor(dtype, values.length);
  for (let i = 0; i < values.length; i++) result[i] = f(values[i]!);
  return Tensor.from(dtype, x.shape, result);
}

/** An operation on numbers, and its exact form on BigInts (int64 and uint64), with which it is defined for those too. */
export interface Operation<F, G> {
  readonly number: F;
  readonly bigint: G;
}
export type UnaryOperation = Operation<(v: number) => number, (v: bigint) => bigint>;
export type BinaryOperation = Operation<(a: number, b: number) => number, (a: bigint, b: bigint) => bigint>;

/** The operation on each element; same shape and dtype. */
export function mapElements(x: Tensor, operation: UnaryOperation): Tensor {
  if (!is64BitInteger(x.dtype)) return mapNumbers(x, operation.number);
  const values = x.bigints();
  const data = allocate(x.dtype, values.length) as BigInt64Array;
  for (let i = 0; i < values.length; i++) data[i] = operation.bigint(values[i]!);
  return new Tensor(x.dtype, x.shape, data);
}

/** The operation on each pair of elements of two tensors of one dtype, broadcast against each other; the result has that dtype. */
export function combineElements(a: Tensor, b: Tensor, operation: BinaryOperation): Tensor {
  if (!is64BitInteger(a.dtype)) return combineNumbers(a, b, operation.number);
  const shape = broadcastShapes(a.shape, b.shape);
  const left = broadcastValues(a.bigints(), a.shape, shape);
  const right = broadcastValues(b.bigints(), b.shape, shape);
  const data = allocate(a.dtype, left.length) as BigInt64Array;
  for (let i = 0; i < data.length; i++) data[i] = operation.bigint(left[i]!, right[i]!);
  return new Tensor(a.dtype, shape, data);
}

/** f of each pair of elements of two tensors, broadcast against each other, as a tensor of `dtype`. int64 and uint64 pass through doubles. */
export function combineNumbers(
  a: Tensor,
  b: Tensor,
  f: (a: number, b: number) => number,
  dtype: DataType = a.dtype,
): Tensor {
  const shape = broadcastShapes(a.shape, b.shape);
  const left = broadcastValues(a.numbers(), a.shape, shape);
  const right = broadcastValues(b.numbers(), b.shape, shape);
  const result = numbersFor(dtype, left.length);
  for (let i = 0; i < result.length; i++) result[i] = f(left[i]!, right[i]!);
  return Tensor.from(dtype, shape, result);
}

/** A bool tensor of `test` on each pair of elements (numbers, BigInts or strings) of two tensors, broadcast against each other. */
export function compareElements(a: Tensor, b: Tensor, test: (a: Element, b: Element) => boolean): Tensor {
  const shape = broadcastShapes(a.shape, b.shape);
  const left = broadcastValues(elementsOf(a), a.shape, shape);
  const right = broadcastValues(elementsOf(b), b.shape, shape);
  const result = new Uint8Array(left.length);
  for (let i = 0; i < result.length; i++) result[i] = test(left[i]!, right[i]!) ? 1 : 0;
  return new Tensor("bool", shape, result);
}
