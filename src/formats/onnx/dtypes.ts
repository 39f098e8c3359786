import { codeOfDtype, dtypeOfCode } from "../../ops/onnx-dtype.js";
import { type DataType, NonzeroError } from "../../tensor/index.js";

/** The dtype of a TensorProto.DataType. @throws NonzeroError "unsupported" for float8, complex and the like, "invalid-model" for no type. */
export function dtypeOf(type: number, field: string): DataType {
  if (type === 0) throw new NonzeroError("invalid-model", "the element type is missing", { field });
  return dtypeOfCode(type, field);
}

/** The TensorProto.DataType of a dtype. */
export const onnxTypeOf = codeOfDtype;
