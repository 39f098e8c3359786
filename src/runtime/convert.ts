import { type OnnxValue, Tensor as OrtTensor } from "onnxruntime-common";
import { type GpuTensor, isGpuTensor } from "../backends/webgpu/gpu-tensor.js";
import type { OwnedGpuTensor } from "../backends/webgpu/index.js";
import { type DataType, NonzeroError, type NumericArray, Tensor, type TensorData } from "../tensor/index.js";

/**
 * onnxruntime's tensor (of any copy of the package: only its fields count) as ours; shares the data, on the host or in its GPUBuffer.
 * @throws NonzeroError "invalid-argument" for what is no tensor or was disposed, "unsupported" for other locations.
 */
export function fromOrt(name: string, value: OnnxValue): Tensor | GpuTensor {
  const tensor = readFields(name, value);
  const { type, dims, location } = tensor;
  if (location === "none") throw new NonzeroError("invalid-argument", "the tensor was disposed", { field: name });
  if (location === "gpu-buffer")
    return { dtype: type as DataType, shape: dims, gpuBuffer: tensor.gpuBuffer as unknown as GPUBuffer };
  if (location !== undefined && location !== "cpu" && location !== "cpu-pinned") {
    throw new NonzeroError("unsupported", `the tensor is on '${location}'; there are cpu and gpu-buffer`, {
      field: name,
    });
  }
  const { data } = tensor;
  if (type === "string") return new Tensor("string", dims, data as string[]);
  const array = data as unknown as NumericArray;
  // Newer hosts hold float16 in a Float16Array; the bits are the same.
  const foreign = type === "float16" && !(array instanceof Uint16Array);
  const stored = foreign ? new Uint16Array(array.buffer, array.byteOffset, array.length) : array;
  return new Tensor(type as DataType, dims, stored as TensorData);
}

type Fields = Pick<OrtTensor, "type" | "dims" | "data" | "gpuBuffer"> & Partial<Pick<OrtTensor, "location">>;

function readFields(name: string, value: OnnxValue): Fields {
  const tensor = value as OrtTensor | null;
  if (typeof tensor !== "object" || tensor === null || typeof tensor.type !== "string" || !Array.isArray(tensor.dims))
    throw new NonzeroError("invalid-argument", "this is no tensor: give new Tensor(type, data, dims)", { field: name });
  return tensor;
}

/** The class of onnxruntime's tensors: each copy of the package has its own, and its sessions know no other. */
type OrtTensorClass = typeof OrtTensor;

/** The class that the caller's tensors are of; that of our own copy of onnxruntime-common where there are none. */
export function classOf(values: readonly OnnxValue[]): OrtTensorClass {
  for (const value of values) {
    const made = value?.constructor as Partial<OrtTensorClass> | undefined;
    if (typeof made?.fromGpuBuffer === "function") return made as OrtTensorClass;
  }
  return OrtTensor;
}

/** dtypes that onnxruntime-common's tensors may have on a GPU; ours also int8, float64 and the like. */
const ON_GPU = ["float32", "float16", "int32", "int64", "uint32", "uint8", "bool", "uint4", "int4"] as const;

/** @throws NonzeroError "unsupported" for dtypes that onnxruntime's tensors do not have on a GPU. */
export function checkOnGpu(name: string, dtype: DataType): void {
  if ((ON_GPU as readonly DataType[]).includes(dtype)) return;
  throw new NonzeroError(
    "unsupported",
    `onnxruntime's tensors have no ${dtype} on the GPU: leave this output on the cpu`,
    {
      field: name,
    },
  );
}

/** Our tensor as onnxruntime's. @throws NonzeroError "unsupported" for bfloat16, which it does not have. */
export function toOrt(tensor: Tensor | OwnedGpuTensor, Ort: OrtTensorClass = OrtTensor): OrtTensor {
  const { dtype } = tensor;
  if (dtype === "bfloat16") throw new NonzeroError("unsupported", "onnxruntime's tensors have no bfloat16");
  if (isGpuTensor(tensor)) {
    return Ort.fromGpuBuffer(tensor.gpuBuffer as unknown as OrtTensor.GpuBufferType, {
      dataType: dtype as "float32",
      dims: tensor.shape,
      download: async () => toOrt(await tensor.download(), Ort).data as Float32Array,
      dispose: () => tensor.dispose(),
    });
  }
  const { shape, data } = tensor;
  if (dtype === "string") return new Ort("string", data as string[], shape);
  return new Ort(dtype as "float32", data as Float32Array, shape);
}
