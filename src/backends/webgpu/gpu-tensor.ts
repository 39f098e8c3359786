/// <reference types="@webgpu/types" />
import type { LocatedTensor } from "../../compiler/index.js";
import { byteLengthOf, sizeOf } from "../../tensor/index.js";

/**
 * A tensor in a GPUBuffer: from its first byte the elements as `Tensor.data` has them, packed and row-major. As a feed the buffer must
 * have the usage STORAGE, and be of the GPUDevice that the model runs on.
 */
export interface GpuTensor extends LocatedTensor {
  readonly gpuBuffer: GPUBuffer;
}

export const isGpuTensor = (tensor: LocatedTensor): tensor is GpuTensor => "gpuBuffer" in tensor;

/** Bytes of the elements. */
export const bytesOf = ({ dtype, shape }: LocatedTensor): number => byteLengthOf(dtype, sizeOf(shape));

/** Which device a buffer is of, for those that were made or looked at here: WebGPU does not tell. */
const owners = new WeakMap<GPUBuffer, GPUDevice>();
export const ownerOf = (buffer: GPUBuffer): GPUDevice | undefined => owners.get(buffer);
export const setOwner = (buffer: GPUBuffer, device: GPUDevice): void => void owners.set(buffer, device);
