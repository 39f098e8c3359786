/** Element types, by ONNX's and PyTorch's names. */
export type DataType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float64"
  | "int4"
  | "uint4"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool"
  | "string";

/** What holds the elements: float16 and bfloat16 as raw bits, int4 and uint4 two to a byte (low nibble first), bool as 0 or 1. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

export type NumericArray = Exclude<TensorData, string[]>;

interface DataTypeInfo {
  readonly bits: number;
  readonly kind: "float" | "int" | "uint" | "bool" | "string";
  readonly array: {
    new (length: number): NumericArray;
    new (buffer: ArrayBufferLike, offset?: number, length?: number): NumericArray;
  } | null;
}

const INFO: Readonly<Record<DataType, DataTypeInfo>> = {
  float32: { bits: 32, kind: "float", array: Float32Array },
  float16: { bits: 16, kind: "float", array: Uint16Array },
  bfloat16: { bits: 16, kind: "float", array: Uint16Array },
  float64: { bits: 64, kind: "float", array: Float64Array },
  int4: { bits: 4, kind: "int", array: Uint8Array },
  uint4: { bits: 4, kind: "uint", array: Uint8Array },
  int8: { bits: 8, kind: "int", array: Int8Array },
  uint8: { bits: 8, kind: "uint", array: Uint8Array },
  int16: { bits: 16, kind: "int", array: Int16Array },
  uint16: { bits: 16, kind: "uint", array: Uint16Array },
  int32: { bits: 32, kind: "int", array: Int32Array },
  uint32: { bits: 32, kind: "uint", array: Uint32Array },
  int64: { bits: 64, kind: "int", array: BigInt64Array },
  uint64: { bits: 64, kind: "uint", array: BigUint64Array },
  bool: { bits: 8, kind: "bool", array: Uint8Array },
  string: { bits: 0, kind: "string", array: null },
};

export const DATA_TYPES = Object.keys(INFO) as readonly DataType[];

/** Bits that one element takes in memory; 0 for string. */
export const bitsOf = (dtype: DataType): number => INFO[dtype].bits;

/** Bytes that `count` elements take, packed. 0 for string. */
export const byteLengthOf = (dtype: DataType, count: number): number => Math.ceil((count * INFO[dtype].bits) / 8);

export const isFloat = (dtype: DataType): boolean => INFO[dtype].kind === "float";
export const isInteger = (dtype: DataType): boolean => INFO[dtype].kind === "int" || INFO[dtype].kind === "uint";
export const isUnsigned = (dtype: DataType): boolean => INFO[dtype].kind === "uint";
/** int64 and uint64, whose elements are BigInts. */
export const is64BitInteger = (dtype: DataType): dtype is "int64" | "uint64" => dtype === "int64" || dtype === "uint64";

/** Zeroed storage for `count` elements of `dtype` (empty strings for string). */
export function allocate(dtype: DataType, count: number): TensorData {
  const { array, bits } = INFO[dtype];
  if (array === null) return new Array<string>(count).fill("");
  return new array(bits < 8 ? Math.ceil((count * bits) / 8) : count);
}

/** A typed array of `dtype`'s storage over `buffer`, without a copy. `byteOffset` must be a multiple of the element's bytes. */
export function viewOf(
  dtype: Exclude<DataType, "string">,
  buffer: ArrayBufferLike,
  byteOffset: number,
  count: number,
): NumericArray {
  const { array, bits } = INFO[dtype];
  if (array === null) throw new TypeError(`no typed array holds ${dtype}`);
  return new array(buffer, byteOffset, bits < 8 ? Math.ceil((count * bits) / 8) : count);
}
