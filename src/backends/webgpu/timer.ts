/// <reference types="@webgpu/types" />
import { type Gpu, MAP_READ, USAGE } from "./gpu.js";

/** Times one compute pass at a time by the GPU's own clock. */
export interface Timer {
  readonly writes: GPUComputePassTimestampWrites;
  /** Copies the times to where the host can read them; to be called after the pass. */
  resolve(encoder: GPUCommandEncoder): void;
  /** Milliseconds of the pass that was resolved last. Browsers round times, often to 0.1 ms: 0 for what is shorter. */
  milliseconds(): Promise<number>;
  release(): void;
}

const BYTES = 16;

/** A timer; null where the GPU has no timestamps. */
export function timerOf({ device, info }: Gpu): Timer | null {
  if (!info.timestamps) return null;
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({ size: BYTES, usage: USAGE.queryResolve | USAGE.copySource });
  const target = device.createBuffer({ size: BYTES, usage: USAGE.mapRead | USAGE.copyTarget });
  return {
    writes: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    resolve(encoder) {
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, target, 0, BYTES);
    },
    async milliseconds() {
      await target.mapAsync(MAP_READ);
      const [from, to] = new BigUint64Array(target.getMappedRange());
      const nanoseconds = Number(to! - from!);
      target.unmap();
      return Math.max(0, nanoseconds) / 1e6; // the clock of some GPUs jumps back
    },
    release() {
      querySet.destroy();
      resolved.destroy();
      target.destroy();
    },
  };
}
