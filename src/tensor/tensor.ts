import {
  allocate,
  bitsOf,
  byteLengthOf,
  type DataType,
  is64BitInteger,
  type NumericArray,
  type TensorData,
  viewOf,
} from "./dtype.js";
import { NonzeroError } from "./error.js";
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float16.js";
import { sizeOf } from "./shape.js";

/**
 * A dense tensor on the host, row-major and contiguous. `data` holds the elements as `TensorData` says; it may be a view
 * of a larger buffer and is never copied by the constructor.
 */
export class Tensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: TensorData;

  /** @throws NonzeroError "shape" when `data` does not hold exactly the elements of `shape`. */
  constructor(dtype: DataType, shape: readonly number[], data: TensorData) {
    const size = sizeOf(shape);
    const expected = bitsOf(dtype) > 0 && bitsOf(dtype) < 8 ? byteLengthOf(dtype, size) : size;
    if (data.length !== expected) {
      throw new NonzeroError(
        "shape",
        `a ${dtype} tensor of shape [${shape}] takes ${expected} stored elements, not ${data.length}`,
      );
    }
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of the elements, packed; for strings their UTF-8 length is not counted and this is 0. */
  get byteLength(): number {
    return byteLengthOf(this.dtype, this.size);
  }

  static zeros(dtype: DataType, shape: readonly number[]): Tensor {
    return new Tensor(dtype, shape, allocate(dtype, sizeOf(shape)));
  }

  /** A tensor of `dtype` from numbers, each rounded (to nearest even) or wrapped (two's complement) to it. */
  static from(dtype: DataType, shape: readonly number[], values: ArrayLike<number>): Tensor {
    return new Tensor(dtype, shape, encodeNumbers(dtype, values));
  }

  static scalar(dtype: DataType, value: number): Tensor {
    return Tensor.from(dtype, [], [value]);
  }

  /** The same elements under another shape of the same size; shares the data. */
  reshape(shape: readonly number[]): Tensor {
    return new Tensor(this.dtype, shape, this.data);
  }

  /**
   * The elements as numbers: the stored array itself where it already holds them, decoded otherwise (float16, bfloat16,
   * int4, uint4). int64 and uint64 become doubles, exact up to 2^53; use `bigints` where that is not enough.
   */
  numbers(): Exclude<NumericArray, BigInt64Array | BigUint64Array> | Float64Array {
    const { dtype, data } = this;
    if (dtype === "float16") return Float32Array.from(data as Uint16Array, float16ToNumber);
    if (dtype === "bfloat16") return Float32Array.from(data as Uint16Array, bfloat16ToNumber);
    if (dtype === "int4" || dtype === "uint4") return decodeNibbles(data as Uint8Array, this.size, dtype === "int4");
    if (is64BitInteger(dtype)) return Float64Array.from(data as unknown as number[], Number);
    if (dtype === "string") throw new NonzeroError("shape", "a string tensor has no numbers");
    return data as Float32Array;
  }

  /** The elements of an integer or bool tensor as BigInts. */
  bigints(): BigInt64Array | BigUint64Array {
    if (this.dtype === "uint64") return this.data as BigUint64Array;
    if (this.dtype === "int64") return this.data as BigInt64Array;
    return BigInt64Array.from(this.numbers() as ArrayLike<number> as number[], BigInt);
  }

  strings(): string[] {
    if (this.dtype !== "string") throw new NonzeroError("shape", `expected a string tensor, not ${this.dtype}`);
    return this.data as string[];
  }

  /** The one element of a tensor of size 1, as a number. */
  item(): number {
    if (this.size !== 1) throw new NonzeroError("shape", `expected one element, not shape [${this.shape}]`);
    return this.numbers()[0] as number;
  }

  /** The elements rounded, wrapped or truncated to another dtype as ONNX's Cast does between numbers (saturation is Cast's business). */
  to(dtype: DataType): Tensor {
    if (dtype === this.dtype) return this;
    if (is64BitInteger(dtype) && this.dtype !== "float32" && this.dtype !== "float64") {
      const from = this.bigints();
      return new Tensor(
        dtype,
        this.shape,
        dtype === "int64" ? BigInt64Array.from(from as BigInt64Array) : BigUint64Array.from(from as BigUint64Array),
      );
    }
    return Tensor.from(dtype, this.shape, this.numbers());
  }

  /** The stored bytes, without a copy. @throws for string tensors. */
  bytes(): Uint8Array {
    if (this.dtype === "string") throw new NonzeroError("unsupported", "a string tensor has no raw bytes");
    const data = this.data as NumericArray;
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  /** A tensor over raw little-endian bytes; a view where the alignment allows it, a copy otherwise. */
  static fromBytes(dtype: Exclude<DataType, "string">, shape: readonly number[], bytes: Uint8Array): Tensor {
    const size = sizeOf(shape);
    if (bytes.byteLength !== byteLengthOf(dtype, size)) {
      throw new NonzeroError(
        "shape",
        `a ${dtype} tensor of shape [${shape}] takes ${byteLengthOf(dtype, size)} bytes, not ${bytes.byteLength}`,
      );
    }
    const aligned = bytes.byteOffset % Math.max(1, bitsOf(dtype) / 8) === 0 ? bytes : new Uint8Array(bytes); // not slice: a Buffer's is a view
    return new Tensor(dtype, shape, viewOf(dtype, aligned.buffer, aligned.byteOffset, size));
  }
}

/** Numbers into the storage of `dtype`: floats rounded to nearest even, integers truncated toward zero and wrapped, bool by != 0. */
export function encodeNumbers(dtype: DataType, values: ArrayLike<number>): TensorData {
  const list = values as number[];
  switch (dtype) {
    case "float32":
      return values instanceof Float32Array ? values : Float32Array.from(list);
    case "float64":
      return values instanceof Float64Array ? values : Float64Array.from(list);
    case "float16":
      return Uint16Array.from(list, numberToFloat16);
    case "bfloat16":
      return Uint16Array.from(list, numberToBfloat16);
    case "bool":
      return Uint8Array.from(list, (x) => (x !== 0 ? 1 : 0));
    case "int64":
      return BigInt64Array.from(list, (x) => BigInt.asIntN(64, BigInt(Math.trunc(finite(x)))));
    case "uint64":
      return BigUint64Array.from(list, (x) => BigInt.asUintN(64, BigInt(Math.trunc(finite(x)))));
    case "int4":
    case "uint4": {
      const packed = new Uint8Array(Math.ceil(values.length / 2));
      for (let i = 0; i < values.length; i++)
        packed[i >> 1] = (packed[i >> 1] as number) | (((list[i] as number) & 15) << (4 * (i & 1)));
      return packed;
    }
    case "string":
      return Array.from(list, String);
    default: {
      const data = allocate(dtype, values.length) as Int32Array;
      for (let i = 0; i < values.length; i++) data[i] = list[i] as number; // typed arrays wrap modulo 2^bits
      return data;
    }
  }
}

const finite = (x: number): number => (Number.isFinite(x) ? x : 0);

function decodeNibbles(packed: Uint8Array, size: number, signed: boolean): Int8Array {
  const out = new Int8Array(size);
  for (let i = 0; i < size; i++) {
    const nibble = ((packed[i >> 1] as number) >> (4 * (i & 1))) & 15;
    out[i] = signed && nibble > 7 ? nibble - 16 : nibble;
  }
  return out;
}
