/// <reference types="@webgpu/types" />
import { type DataType, NonzeroError, type Tensor } from "../../tensor/index.js";
import type { Gpu } from "./gpu.js";
import { type GpuTensor, setOwner } from "./gpu-tensor.js";
import { retain } from "./shared.js";
import { download } from "./transfer.js";

/**
 * An output that stayed on the GPU. It is the caller's: no later run writes to it, and its memory is taken until `dispose`. Its buffer has the
 * usages STORAGE, COPY_SRC and COPY_DST, and may be a few bytes longer than the elements.
 */
export class OwnedGpuTensor implements GpuTensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly #gpu: Gpu;
  readonly #letGo: () => void;
  #buffer: GPUBuffer | null;

  constructor(gpu: Gpu, dtype: DataType, shape: readonly number[], buffer: GPUBuffer) {
    this.dtype = dtype;
    this.shape = shape;
    this.#gpu = gpu;
    this.#letGo = retain(gpu);
    this.#buffer = buffer;
    setOwner(buffer, gpu.device);
  }

  /** @throws NonzeroError "invalid-argument" after `dispose`. */
  get gpuBuffer(): GPUBuffer {
    if (this.#buffer === null) throw new NonzeroError("invalid-argument", "the tensor was disposed");
    return this.#buffer;
  }

  /** The elements on the host. @throws NonzeroError "invalid-argument" after `dispose`, "device" where the GPU is lost. */
  async download(): Promise<Tensor> {
    return download(this.#gpu, this);
  }

  /** Gives the memory back; runs that were asked for before and still read it fail. */
  dispose(): void {
    if (this.#buffer === null) return;
    this.#buffer.destroy();
    this.#buffer = null;
    this.#letGo();
  }
}
