import { type DeviceBuffer, paddedBytes } from "./device-buffer.js";
import { MAP_READ, USAGE } from "./gpu.js";
import { uniformsIn } from "./kernel.js";
import { type Launch, uniformBytes } from "./lower.js";
import type { Holding, Session } from "./session.js";
import type { Timer } from "./timer.js";

/** A dispatch with all that it needs. */
interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  /** Made anew when one of its buffers has moved: what the caller brings is another in each run. */
  readonly group: () => GPUBindGroup;
  readonly immediates: Uint8Array<ArrayBuffer> | null;
  readonly workgroups: readonly [number, number, number];
}

/** Launches ready to be run again and again. */
export interface Recording {
  /** Submits the launches, timed by `timer` if there is one. */
  submit(timer?: Timer | null): void;
  /** Bytes of each download after all that was submitted. Null where there are none. */
  readonly read: (() => Promise<ReadonlyMap<DeviceBuffer, Uint8Array>>) | null;
}

/** Dynamic offsets and slices of uniform buffers must be multiples of this. */
const UNIFORM_ALIGN = 256;

/** Pipelines, bind groups and uniforms for launches whose buffers all have their memory. */
export async function record(
  launches: readonly Launch[],
  downloads: readonly DeviceBuffer[],
  session: Session,
  memory: Holding,
): Promise<Recording> {
  const { gpu } = session;
  const { device } = gpu;
  const pipelines = await session.compile(launches.map(({ code }) => code));
  const placeOf = ({ uniforms }: Launch) => uniformsIn(uniforms.length, gpu.info);
  const { result, taken } = gpu.watch("making a plan", () => {
    const inBuffer = launches.filter((launch) => placeOf(launch) === "buffer");
    const words = new Uint8Array(UNIFORM_ALIGN * inBuffer.length);
    inBuffer.forEach((launch, i) => words.set(uniformBytes(launch), UNIFORM_ALIGN * i));
    const uniforms = words.length === 0 ? null : memory.allocate(words.length, USAGE.uniform | USAGE.copyTarget);
    if (uniforms !== null) device.queue.writeBuffer(uniforms, 0, words);
    const dispatches = launches.map((launch): Dispatch => {
      const { key } = launch.code;
      const pipeline = pipelines.get(key)!;
      const place = placeOf(launch);
      const struct =
        place === "buffer"
          ? [{ buffer: uniforms!, offset: UNIFORM_ALIGN * inBuffer.indexOf(launch), size: 4 * launch.uniforms.length }]
          : [];
      const group = bindGroupOf(launch, struct, pipeline, device);
      if (launch.bindings.every(({ buffer }) => buffer.gpu !== null)) group();
      const immediates = place === "immediates" ? uniformBytes(launch) : null;
      return { pipeline, group, immediates, workgroups: launch.workgroups };
    });
    return { dispatches, readback: downloads.length === 0 ? null : readbackOf(downloads, session, memory) };
  });
  await taken;
  const { dispatches, readback } = result;
  return {
    submit(timer = null) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass(timer === null ? {} : { timestampWrites: timer.writes });
      for (const { pipeline, group, immediates, workgroups } of dispatches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group());
        if (immediates !== null) pass.setImmediates(0, immediates);
        pass.dispatchWorkgroups(...workgroups);
      }
      pass.end();
      timer?.resolve(encoder);
      readback?.copy(encoder);
      device.queue.submit([encoder.finish()]);
    },
    read: readback?.read ?? null,
  };
}

/** A launch's bind group, for wherever its buffers are when it is asked for. */
function bindGroupOf(
  { code, bindings }: Launch,
  struct: readonly GPUBufferBinding[],
  pipeline: GPUComputePipeline,
  device: GPUDevice,
): () => GPUBindGroup {
  let group: GPUBindGroup | null = null;
  let bound: readonly GPUBufferBinding[] = [];
  return () => {
    if (group !== null && bindings.every(({ buffer }, i) => buffer.gpu === bound[i]!.buffer)) return group;
    bound = bindings.map(({ buffer, offset, bytes }) => {
      if (buffer.gpu === null) throw new Error(`a buffer of '${code.key}' was never placed`);
      return { buffer: buffer.gpu, offset, size: bytes };
    });
    group = device.createBindGroup({
      label: code.key,
      layout: pipeline.getBindGroupLayout(0),
      entries: [...bound, ...struct].map((resource, binding) => ({ binding, resource })),
    });
    return group;
  };
}

/** Mappable buffers for all downloads: one, or as many as the largest that the GPU makes asks for. */
function readbackOf(downloads: readonly DeviceBuffer[], { gpu }: Session, memory: Holding) {
  const sizes: number[] = [];
  const places = downloads.map((source) => {
    const bytes = paddedBytes(source.bytes);
    if (sizes.length === 0 || sizes.at(-1)! + bytes > gpu.info.limits.maxBufferSize) sizes.push(0);
    const place = { source, target: sizes.length - 1, offset: sizes.at(-1)! };
    sizes[place.target]! += bytes;
    return place;
  });
  const targets = sizes.map((size) => memory.allocate(size, USAGE.mapRead | USAGE.copyTarget));
  return {
    copy(encoder: GPUCommandEncoder): void {
      for (const { source, target, offset } of places)
        encoder.copyBufferToBuffer(source.gpu!, 0, targets[target]!, offset, paddedBytes(source.bytes));
    },
    async read(): Promise<ReadonlyMap<DeviceBuffer, Uint8Array>> {
      await Promise.all(targets.map((target) => target.mapAsync(MAP_READ)));
      const ranges = targets.map((target) => target.getMappedRange());
      const copies = places.map(
        ({ source, target, offset }) =>
          [source, new Uint8Array(ranges[target]!, offset, source.bytes).slice()] as const,
      );
      for (const target of targets) target.unmap();
      return new Map(copies);
    },
  };
}
