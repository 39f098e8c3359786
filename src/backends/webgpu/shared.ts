/// <reference types="@webgpu/types" />
import { type Gpu, type GpuOptions, requestGpu } from "./gpu.js";

/** A GPU in use; `release` gives it back. */
export interface HeldGpu {
  readonly gpu: Gpu;
  release(): void;
}

/** The GPUs of callers' devices, whose pipelines last as long as the device. */
const given = new WeakMap<GPUDevice, Promise<Gpu>>();

interface Share {
  readonly gpu: Promise<Gpu>;
  holders: number;
}

let current: Share | null = null;
const shares = new WeakMap<Gpu, Share>();

/** One holder less; whether it was the last. */
function leave(share: Share): boolean {
  share.holders--;
  if (share.holders === 0 && share === current) current = null;
  return share.holders === 0;
}

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
  try {
    const gpu = await held.gpu;
    shares.set(gpu, held);
    return { gpu, release: () => letGo(gpu, held) };
  } catch (error) {
    leave(held);
    throw error;
  }
}

function letGo(gpu: Gpu, share: Share): void {
  if (leave(share)) gpu.release();
}

/** Keeps a shared GPU for something that may outlive all who hold it, until what this returns is called. A caller's own stays anyway. */
export function retain(gpu: Gpu): () => void {
  const share = shares.get(gpu);
  if (share === undefined) return () => {};
  share.holders++;
  return () => letGo(gpu, share);
}

let lasting: Gpu | null = null;

/** The shared GPU's device, which from now on is kept until it is lost: the caller may have made buffers on it. @throws as `holdGpu` does. */
export async function lastingDevice(): Promise<GPUDevice> {
  const { gpu, release } = await holdGpu();
  if (gpu === lasting) release();
  lasting = gpu;
  return gpu.device;
}

async function isLost(gpu: Promise<Gpu>): Promise<boolean> {
  try {
    (await gpu).check();
    return false;
  } catch {
    return true;
  }
}
