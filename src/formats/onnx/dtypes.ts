import { type DataType, NonzeroError } from "../../tensor/index.js";
import { TensorProto_DataType as Type } from "./onnx_pb.js";

const BY_TYPE: ReadonlyMap<number, DataType> = new Map<number, DataType>([
  [Type.FLOAT, "float32"],
  [Type.UINT8, "uint8"],
  [Type.INT8, "int8"],
  [Type.UINT16, "uint16"],
  [Type.INT16, "int16"],
  [Type.INT32, "int32"],
  [Type.INT64, "int64"],
  [Type.STRING, "string"],
  [Type.BOOL, "bool"],
  [Type.FLOAT16, "float16"],
  [Type.DOUBLE, "float64"],
  [Type.UINT32, "uint32"],
  [Type.UINT64, "uint64"],
  [Type.BFLOAT16, "bfloat16"],
  [Type.UINT4, "uint4"],
  [Type.INT4, "int4"],
]);

const BY_NAME: ReadonlyMap<DataType, Type> = new Map([...BY_TYPE].map(([type, dtype]) => [dtype, type]));

/** The dtype of a TensorProto.DataType. @throws NonzeroError "unsupported" for float8, complex and the like, "invalid-model" for no type. */
export function dtypeOf(type: number, field: string): DataType {
  const dtype = BY_TYPE.get(type);
  if (dtype !== undefined) return dtype;
  if (type === Type.UNDEFINED) throw new NonzeroError("invalid-model", "the element type is missing", { field });
  throw new NonzeroError("unsupported", `element type ${Type[type] ?? type} is not supported`, { field });
}

/** The TensorProto.DataType of a dtype. */
export const onnxTypeOf = (dtype: DataType): Type => BY_NAME.get(dtype) as Type;
