/// <reference types="@webgpu/types" />
import { NonzeroError, Tensor } from "../../tensor/index.js";
import { type Gpu, MAP_READ, USAGE } from "./gpu.js";
import { bytesOf, type GpuTensor, isGpuTensor } from "./gpu-tensor.js";

/** Copies between buffers, and writes to them, are of multiples of 4 bytes. */
export const inWords = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Bytes as `writeBuffer` takes them: a multiple of 4 of them, not shared. */
export function uploadable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength % 4 === 0 && bytes.buffer instanceof ArrayBuffer) return bytes as Uint8Array<ArrayBuffer>;
  const padded = new Uint8Array(inWords(bytes.byteLength));
  padded.set(bytes);
  return padded;
}

/** Copies a tensor's elements to the start of another buffer of the same device. */
export function copyElements(encoder: GPUCommandEncoder, tensor: GpuTensor, target: GPUBuffer): void {
  const size = inWords(bytesOf(tensor));
  if (size > 0) encoder.copyBufferToBuffer(tensor.gpuBuffer, 0, target, 0, size);
}

/**
 * The tensor's elements on the host, as they are after all that was submitted before.
 * The buffer must have the usage COPY_SRC. @throws NonzeroError "device" where the GPU is lost or has no room.
 */
export async function download(gpu: Gpu, tensor: GpuTensor): Promise<Tensor> {
  const { dtype, shape } = tensor;
  const bytes = bytesOf(tensor);
  if (bytes === 0) return Tensor.zeros(dtype, shape);
  const { result: staging, taken } = gpu.watch("reading a tensor", () => {
    const made = gpu.device.createBuffer({ size: inWords(bytes), usage: USAGE.mapRead | USAGE.copyTarget });
    const encoder = gpu.device.createCommandEncoder();
    copyElements(encoder, tensor, made);
    gpu.device.queue.submit([encoder.finish()]);
    return made;
  });
  try {
    await Promise.all([taken, staging.mapAsync(MAP_READ)]);
    return Tensor.fromBytes(dtype as "float32", shape, new Uint8Array(staging.getMappedRange(), 0, bytes).slice());
  } catch (cause) {
    throw await gpu.explain(cause);
  } finally {
    staging.destroy();
  }
}

/**
 * Writes `result` into a buffer of the caller's.
 * @throws NonzeroError "shape" where dtype or shape differ or the buffer is too small, "invalid-argument" where it has no usage COPY_DST or is not
 * of this device or was destroyed.
 */
export async function writeInto(gpu: Gpu, target: GpuTensor, result: Tensor | GpuTensor): Promise<void> {
  if (target.dtype !== result.dtype || target.shape.join() !== result.shape.join()) {
    const given = `${target.dtype}[${target.shape}]`;
    throw new NonzeroError("shape", `the result is ${result.dtype}[${result.shape}], the tensor given for it ${given}`);
  }
  const { gpuBuffer } = target;
  const size = inWords(bytesOf(target));
  if (gpuBuffer.size < size)
    throw new NonzeroError("shape", `the result takes ${size} bytes, its GPUBuffer has ${gpuBuffer.size}`);
  if (!(gpuBuffer.usage & USAGE.copyTarget))
    throw new NonzeroError("invalid-argument", "the GPUBuffer is to be written, and has no usage COPY_DST");
  const { taken } = gpu.watch("writing a tensor", () => {
    const { queue } = gpu.device;
    if (!isGpuTensor(result)) return queue.writeBuffer(gpuBuffer, 0, uploadable(result.bytes()));
    const encoder = gpu.device.createCommandEncoder();
    copyElements(encoder, result, gpuBuffer);
    queue.submit([encoder.finish()]);
  });
  await taken.catch((cause: Error) => {
    gpu.check();
    throw new NonzeroError("invalid-argument", `the GPUBuffer cannot be written: ${cause.message}`, {}, { cause });
  });
}
