import { bitsOf, byteLengthOf, type DataType, NonzeroError, Tensor, viewOf } from "../../tensor/index.js";
import { textOf } from "./decode.js";
import { dtypeOf } from "./dtypes.js";
import { type ExternalData, readExternal } from "./external-data.js";
import { type TensorProto, TensorProto_DataLocation } from "./onnx_pb.js";

/** More axes than any tensor has; NumPy's own limit. */
const MAX_RANK = 64;

export interface TensorSource {
  readonly externalData?: ExternalData | undefined;
  /** Raw data may be shifted into alignment where it lies. */
  readonly ownsBytes?: boolean | undefined;
}

/**
 * A tensor of the file. Raw data becomes a view where its alignment allows it. Nothing is allocated by what the dims claim: the
 * data must be there.
 * @throws NonzeroError "invalid-model" (dims and data disagree), "unsupported" (dtype) or "not-found" (external data).
 */
export function tensorOf(proto: TensorProto, source: TensorSource = {}): Tensor {
  const dtype = dtypeOf(proto.dataType, "data_type");
  const shape = dimsOf(proto.dims);
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (!Number.isSafeInteger(size)) fail("dims", `[${shape}] is larger than any tensor can be`);
  if (proto.segment !== undefined) {
    throw new NonzeroError("unsupported", "tensors in segments are not supported", { field: "segment" });
  }
  if (dtype === "string") return stringsOf(proto, shape, size);
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    return fromRaw(dtype, shape, readExternal(proto, byteLengthOf(dtype, size), source.externalData));
  }
  if (proto.rawData.length > 0) {
    const expected = byteLengthOf(dtype, size);
    if (proto.rawData.length !== expected)
      fail("raw_data", `${dtype}[${shape}] takes ${expected} bytes, not ${proto.rawData.length}`);
    return fromRaw(dtype, shape, source.ownsBytes ? shifted(dtype, proto.rawData) : proto.rawData);
  }
  return fromTyped(proto, dtype, shape, size);
}

/** Dims as numbers. @throws NonzeroError "invalid-model" when one is negative or there are too many. */
export function dimsOf(dims: readonly bigint[]): number[] {
  if (dims.length > MAX_RANK) fail("dims", `${dims.length} axes, more than ${MAX_RANK}`);
  return dims.map((dim) => {
    if (dim < 0n || dim > BigInt(Number.MAX_SAFE_INTEGER)) fail("dims", `${dim} is not a dimension`);
    return Number(dim);
  });
}

function stringsOf(proto: TensorProto, shape: number[], size: number): Tensor {
  if (proto.stringData.length !== size)
    fail("string_data", `[${shape}] takes ${size} strings, not ${proto.stringData.length}`);
  return new Tensor(
    "string",
    shape,
    proto.stringData.map((bytes) => textOf(bytes, "string_data")),
  );
}

function fromRaw(dtype: Exclude<DataType, "string">, shape: number[], bytes: Uint8Array): Tensor {
  if (dtype === "bool" && bytes.some((byte) => byte > 1)) {
    return new Tensor(
      "bool",
      shape,
      bytes.map((byte) => (byte === 0 ? 0 : 1)),
    );
  }
  return Tensor.fromBytes(dtype, shape, bytes);
}

/** Shorter data is copied: what comes before it, its field's own tag and length, would not make room for the shift. */
const SHIFTABLE = 128;
const ROOM = 3;

/** The bytes moved to the aligned place before them, over the tag and length that protobuf has already read. */
function shifted(dtype: DataType, bytes: Uint8Array): Uint8Array {
  const excess = bytes.byteOffset % Math.max(1, bitsOf(dtype) / 8);
  if (excess === 0 || excess > ROOM || bytes.byteLength < SHIFTABLE) return bytes;
  const aligned = new Uint8Array(bytes.buffer, bytes.byteOffset - excess, bytes.byteLength);
  aligned.set(bytes);
  return aligned;
}

/** The field that holds a dtype's elements when they are not raw. float16 and bfloat16 are bits there, int4 and uint4 packed bytes. */
function fieldOf(proto: TensorProto, dtype: DataType): [name: string, data: readonly number[] | readonly bigint[]] {
  if (dtype === "float32") return ["float_data", proto.floatData];
  if (dtype === "float64") return ["double_data", proto.doubleData];
  if (dtype === "int64") return ["int64_data", proto.int64Data];
  if (dtype === "uint64" || dtype === "uint32") return ["uint64_data", proto.uint64Data];
  return ["int32_data", proto.int32Data];
}

function fromTyped(proto: TensorProto, dtype: Exclude<DataType, "string">, shape: number[], size: number): Tensor {
  const [field, data] = fieldOf(proto, dtype);
  const expected = bitsOf(dtype) < 8 ? byteLengthOf(dtype, size) : size;
  if (data.length !== expected) fail(field, `${dtype}[${shape}] takes ${expected} elements, not ${data.length}`);
  const stored = viewOf(dtype, new ArrayBuffer(byteLengthOf(dtype, size)), 0, size);
  for (let i = 0; i < data.length; i++) stored[i] = dtype === "uint32" ? Number(data[i]) : (data[i] as never);
  if (dtype === "bool") return fromRaw("bool", shape, stored as Uint8Array);
  return new Tensor(dtype, shape, stored);
}

function fail(field: string, reason: string): never {
  throw new NonzeroError("invalid-model", reason, { field });
}
