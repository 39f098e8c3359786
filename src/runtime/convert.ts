import { type OnnxValue, Tensor as OrtTensor } from "onnxruntime-common";
import { type DataType, NonzeroError, type NumericArray, Tensor, type TensorData } from "../tensor/index.js";

/** onnxruntime's tensor (of any copy of the package: only its fields count) as ours; shares the data. */
export function fromOrt(name: string, value: OnnxValue): Tensor {
  const { type, dims, data, location } = readFields(name, value);
  if (location !== undefined && location !== "cpu" && location !== "cpu-pinned") {
    throw new NonzeroError("unsupported", `the tensor is on '${location}'; this device takes tensors on the CPU`, {
      field: name,
    });
  }
  if (type === "string") return new Tensor("string", dims, data as string[]);
  const array = data as unknown as NumericArray;
  // Newer hosts hold float16 in a Float16Array; the bits are the same.
  const foreign = type === "float16" && !(array instanceof Uint16Array);
  const stored = foreign ? new Uint16Array(array.buffer, array.byteOffset, array.length) : array;
  return new Tensor(type as DataType, dims, stored as TensorData);
}

function readFields(name: string, value: OnnxValue): Partial<OrtTensor> & Pick<OrtTensor, "type" | "dims" | "data"> {
  const tensor = value as OrtTensor | null;
  if (typeof tensor !== "object" || tensor === null || typeof tensor.type !== "string" || !Array.isArray(tensor.dims))
    throw new NonzeroError("invalid-argument", "this is no tensor: give new Tensor(type, data, dims)", { field: name });
  return tensor;
}

/** Our tensor as onnxruntime's. @throws NonzeroError "unsupported" for bfloat16, which it does not have. */
export function toOrt(tensor: Tensor): OrtTensor {
  const { dtype, shape, data } = tensor;
  if (dtype === "bfloat16") throw new NonzeroError("unsupported", "onnxruntime's tensors have no bfloat16");
  if (dtype === "string") return new OrtTensor("string", data as string[], shape);
  return new OrtTensor(dtype as "float32", data as Float32Array, shape);
}
