import { type DeviceBuffer, paddedBytes } from "./device-buffer.js";
import { MAP_READ, USAGE } from "./gpu.js";
import { type Launch, uniformBytes } from "./lower.js";
import type { Holding, Session } from "./session.js";

/** A dispatch with all that it needs. */
interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** Launches ready to be run again and again. */
export interface Recording {
  /** Submits the launches. */
  submit(): void;
  /** Bytes of each download after all that was submitted. Null where there are none. */
  readonly read: (() => Promise<ReadonlyMap<DeviceBuffer, Uint8Array>>) | null;
}

/** Dynamic offsets and slices of uniform buffers must be multiples of this. */
const UNIFORM_ALIGN = 256;

/** Pipelines, bind groups and the uniform buffer for launches whose buffers all have their memory. */
export async function record(
  launches: readonly Launch[],
  downloads: readonly DeviceBuffer[],
  session: Session,
  memory: Holding,
): Promise<Recording> {
  const { gpu } = session;
  const { device } = gpu;
  const pipelines = await Promise.all(launches.map(({ code }) => gpu.pipeline(code)));
  const { result, taken } = gpu.watch("making a plan", () => {
    const withUniforms = launches.filter(({ uniforms }) => uniforms.length > 0);
    const words = new Uint8Array(UNIFORM_ALIGN * withUniforms.length);
    withUniforms.forEach((launch, i) => words.set(uniformBytes(launch), UNIFORM_ALIGN * i));
    const uniforms = words.length === 0 ? null : memory.allocate(words.length, USAGE.uniform | USAGE.copyTarget);
    if (uniforms !== null) device.queue.writeBuffer(uniforms, 0, words);
    const dispatches = launches.map((launch, i): Dispatch => {
      const resources: GPUBufferBinding[] = launch.bindings.map(({ buffer, offset, bytes }) => {
        if (buffer.gpu === null) throw new Error(`a buffer of '${launch.code.key}' was never placed`);
        return { buffer: buffer.gpu, offset, size: bytes };
      });
      if (launch.uniforms.length > 0) {
        const offset = UNIFORM_ALIGN * withUniforms.indexOf(launch);
        resources.push({ buffer: uniforms!, offset, size: 4 * launch.uniforms.length });
      }
      const group = device.createBindGroup({
        layout: pipelines[i]!.getBindGroupLayout(0),
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
      return { pipeline: pipelines[i]!, group, workgroups: launch.workgroups };
    });
    return { dispatches, readback: downloads.length === 0 ? null : readbackOf(downloads, memory) };
  });
  await taken;
  const { dispatches, readback } = result;
  return {
    submit() {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, workgroups } of dispatches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...workgroups);
      }
      pass.end();
      readback?.copy(encoder);
      device.queue.submit([encoder.finish()]);
    },
    read: readback?.read ?? null,
  };
}

/** One mappable buffer for all downloads. */
function readbackOf(downloads: readonly DeviceBuffer[], memory: Holding) {
  let size = 0;
  const offsets = downloads.map(({ bytes }) => {
    const offset = size;
    size += paddedBytes(bytes);
    return offset;
  });
  const target = memory.allocate(size, USAGE.mapRead | USAGE.copyTarget);
  return {
    copy(encoder: GPUCommandEncoder): void {
      downloads.forEach(({ gpu, bytes }, i) => {
        encoder.copyBufferToBuffer(gpu!, 0, target, offsets[i]!, paddedBytes(bytes));
      });
    },
    async read(): Promise<ReadonlyMap<DeviceBuffer, Uint8Array>> {
      await target.mapAsync(MAP_READ);
      const range = target.getMappedRange();
      const copies = downloads.map(
        (buffer, i) => [buffer, new Uint8Array(range, offsets[i]!, buffer.bytes).slice()] as const,
      );
      target.unmap();
      return new Map(copies);
    },
  };
}
