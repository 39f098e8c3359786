/// <reference types="@webgpu/types" />
import { type Gpu, type GpuOptions, requestGpu } from "./gpu.js";

/** A GPU in use; `release` gives it back. */
export interface HeldGpu {
  readonly gpu: Gpu;
  release(): void;
}

/** The GPUs of callers' devices, whose pipelines last as long as the device. */
const given = new WeakMap<GPUDevice, Promise<Gpu>>();

let current: { readonly gpu: Promise<Gpu>; holders: number } | null = null;

/**
 * The GPU that all who ask without a device of their own share, so that they share its pipelines too. It is requested when first
 * asked for, and again after it was lost; the last to release it destroys it. Those who bring the same device share its pipelines as well.
 * @throws NonzeroError "device" as `requestGpu` does.
 */
export async function holdGpu(options: GpuOptions = {}): Promise<HeldGpu> {
  const { device } = options;
  if (device !== undefined) {
    const gpu = given.get(device) ?? requestGpu({ device });
    given.set(device, gpu);
    return { gpu: await gpu, release: () => {} };
  }
  if (current !== null && (await isLost(current.gpu))) current = null;
  current ??= { gpu: requestGpu(options), holders: 0 };
  const held = current;
  held.holders++;
  const leave = (): boolean => {
    held.holders--;
    if (held.holders === 0 && held === current) current = null;
    return held.holders === 0;
  };
  try {
    const gpu = await held.gpu;
    return {
      gpu,
      release() {
        if (leave()) gpu.release();
      },
    };
  } catch (error) {
    leave();
    throw error;
  }
}

async function isLost(gpu: Promise<Gpu>): Promise<boolean> {
  try {
    (await gpu).check();
    return false;
  } catch {
    return true;
  }
}
