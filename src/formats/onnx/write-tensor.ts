import { create } from "@bufbuild/protobuf";
import type { Constant } from "../../graph/index.js";
import { SparseTensor } from "../../layouts/index.js";
import { byteLengthOf, NonzeroError, sizeOf, type Tensor } from "../../tensor/index.js";
import { onnxTypeOf } from "./dtypes.js";
import {
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "./onnx_pb.js";

/** Where a tensor's bytes went when they are not in the model's file. */
export interface Placed {
  readonly location: string;
  readonly offset: number;
}

/** Puts the dense bytes of a constant elsewhere, `byteLength` of them, or says null to keep them in the model. */
export type Place = (constant: Constant, byteLength: number) => Placed | null;

const UTF8 = new TextEncoder();

/** A constant as a dense TensorProto: raw little-endian data (a view), strings as UTF-8, or a reference to where `place` put it. */
export function tensorProto(constant: Constant, name: string, place?: Place): TensorProto {
  const { dtype, shape } = constant;
  const proto = create(TensorProtoSchema, { name, dims: shape.map(BigInt), dataType: onnxTypeOf(dtype) });
  if (dtype === "string") {
    proto.stringData = dense(constant)
      .strings()
      .map((text) => UTF8.encode(text));
    return proto;
  }
  const byteLength = byteLengthOf(dtype, sizeOf(shape));
  const placed = place?.(constant, byteLength);
  if (placed) {
    proto.dataLocation = TensorProto_DataLocation.EXTERNAL;
    proto.externalData = [
      entry("location", placed.location),
      entry("offset", String(placed.offset)),
      entry("length", String(byteLength)),
    ];
  } else {
    proto.rawData = plainBytes(dense(constant).bytes());
  }
  return proto;
}

/** A constant with its zeros. */
export const dense = (constant: Constant): Tensor => (constant instanceof SparseTensor ? constant.toDense() : constant);

/** protobuf wants views of ArrayBuffers, not of shared memory. */
const plainBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);

export const entry = (key: string, value: string): StringStringEntryProto =>
  create(StringStringEntryProtoSchema, { key, value });

/** An integer for an int64 field. @throws NonzeroError "invalid-argument". */
export function int64Of(value: number, field: string): bigint {
  if (Number.isInteger(value)) return BigInt(value);
  throw new NonzeroError("invalid-argument", `${value} is not an integer`, { field });
}
