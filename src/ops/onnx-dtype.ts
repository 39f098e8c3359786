import { type DataType, NonzeroError } from "../tensor/index.js";

/** ONNX's numbers for element types (TensorProto.DataType), which attributes such as Cast's `to` hold. */
const CODES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
};

const BY_CODE = new Map(Object.entries(CODES).map(([dtype, code]) => [code, dtype as DataType]));

/** The dtype that a TensorProto.DataType number means. @throws NonzeroError "unsupported" for float8, complex and the like. */
export function dtypeOfCode(code: number, field?: string): DataType {
  const dtype = BY_CODE.get(code);
  if (dtype === undefined) throw new NonzeroError("unsupported", `element type ${code} is not supported`, { field });
  return dtype;
}

/** The TensorProto.DataType number of a dtype. */
export const codeOfDtype = (dtype: DataType): number => CODES[dtype];
