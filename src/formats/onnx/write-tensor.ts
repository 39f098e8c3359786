import { create } from "@bufbuild/protobuf";
import { NonzeroError, type Tensor } from "../../tensor/index.js";
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

/** Puts a tensor's bytes elsewhere, or says null to keep them in the model. */
export type Place = (tensor: Tensor) => Placed | null;

const UTF8 = new TextEncoder();

/** A tensor as a TensorProto: raw little-endian data (a view), strings as UTF-8, or a reference to where `place` put it. */
export function tensorProto(tensor: Tensor, name: string, place?: Place): TensorProto {
  const proto = create(TensorProtoSchema, {
    name,
    dims: tensor.shape.map(BigInt),
    dataType: onnxTypeOf(tensor.dtype),
  });
  if (tensor.dtype === "string") {
    proto.stringData = tensor.strings().map((text) => UTF8.encode(text));
    return proto;
  }
  const placed = place?.(tensor);
  if (placed) {
    proto.dataLocation = TensorProto_DataLocation.EXTERNAL;
    proto.externalData = [
      entry("location", placed.location),
      entry("offset", String(placed.offset)),
      entry("length", String(tensor.byteLength)),
    ];
  } else {
    proto.rawData = plainBytes(tensor.bytes());
  }
  return proto;
}

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
