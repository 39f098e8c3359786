/// <reference types="@webgpu/types" />
import { NonzeroError } from "../../tensor/index.js";
import { type Level, MACHINE_VERSION, type Machine, type Peaks } from "../roofline/index.js";
import { type Gpu, USAGE } from "./gpu.js";
import { isProcessor } from "./kernels/lanes/device.js";
import { timerOf } from "./timer.js";

export interface GpuProbeOptions {
  readonly engine: string;
  /** Milliseconds that a timed pass takes at least; default 10. */
  readonly budget?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (share: number, doing: string) => void;
}

const GROUP = 64;
/** Vectors of 4 floats that an invocation multiplies and adds, each by itself. */
const SUMS = 8;
const ROUNDS = 64;

const MULTIPLY = `
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> rounds: array<u32>;
@compute @workgroup_size(${GROUP}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = vec4<f32>(0.999);
  let b = vec4<f32>(f32(id.x) * 1e-9);
  ${each((i) => `var s${i} = vec4<f32>(${i}.0) + b;`)}
  for (var r = 0u; r < rounds[0]; r++) {
    ${each((i) => `s${i} = fma(s${i}, a, b);`)}
  }
  let sum = ${Array.from({ length: SUMS }, (_, i) => `s${i}`).join(" + ")};
  if (sum.x == -1.0) { y[id.x % arrayLength(&y)] = sum; }
}`;

/** Each invocation goes on by the whole grid, so that neighbours read neighbours. */
const moving = (body: string): string => `
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@compute @workgroup_size(${GROUP}) fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let step = groups.x * ${GROUP}u;
  var sum = vec4<f32>(0.0);
  for (var i = id.x; i < arrayLength(&x); i += step) { ${body} }
  if (sum.x == -1.0) { y[id.x] = sum; }
}`;
const READ = moving("sum += x[i];");
const COPY = moving("y[i] = x[i];");
const EMPTY = `@compute @workgroup_size(1) fn main() {}`;

function each(line: (i: number) => string): string {
  return Array.from({ length: SUMS }, (_, i) => line(i)).join("\n  ");
}

const [FEW_GROUPS, GROUPS] = [16, 4096];
/** Workgroups that move so many bytes: each invocation 16 vectors and more. */
const moversOf = (bytes: number): number => Math.max(1, Math.min(1024, Math.floor(bytes / (16 * 16 * GROUP))));
const MOST_BYTES = 256 * 2 ** 20;
/** What caches of GPUs hold. */
const CACHED_BYTES = 2 ** 20;
const [LEAST_RUNS, RUNS] = [2, 8];
const LAUNCHES = 64;

/**
 * What a GPU does at most through WebGPU: float32 multiply-adds, and the bandwidth of a mebibyte and of its memory, by its own clock where it has
 * timestamps. A processor that plays GPU is named `software`. Families are empty: WebGPU's kernels are not calibrated.
 * @throws NonzeroError "aborted"; "device".
 */
export async function probeGpu(
  gpu: Gpu,
  { engine, budget = 10, signal, onProgress }: GpuProbeOptions,
): Promise<Machine> {
  const { device, info } = gpu;
  const timer = timerOf(gpu);
  const buffers: GPUBuffer[] = [];
  const allocate = (size: number): GPUBuffer => {
    const buffer = device.createBuffer({ size, usage: USAGE.storage | USAGE.copyTarget });
    buffers.push(buffer);
    return buffer;
  };
  let done = 0;
  const next = async (doing: string): Promise<void> => {
    onProgress?.(done++ / 6, doing);
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new NonzeroError("aborted", "the probe was stopped");
  };
  /** Seconds of `count` dispatches, the least of several times. */
  const time = async (code: string, bound: readonly GPUBuffer[], groups: number, count: number): Promise<number> => {
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group =
      entries.length === 0 ? null : device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const pass = async (): Promise<number> => {
      const encoder = device.createCommandEncoder();
      const compute = encoder.beginComputePass(timer === null ? {} : { timestampWrites: timer.writes });
      compute.setPipeline(pipeline);
      if (group !== null) compute.setBindGroup(0, group);
      for (let i = 0; i < count; i++) compute.dispatchWorkgroups(groups);
      compute.end();
      timer?.resolve(encoder);
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      if (timer !== null) return (await timer.milliseconds()) / 1000;
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - start) / 1000;
    };
    let best = Number.POSITIVE_INFINITY;
    const begin = performance.now();
    for (let i = 0; i < RUNS && (i < LEAST_RUNS || performance.now() - begin < 10 * budget); i++)
      best = Math.min(best, await pass());
    return Math.max(best, 1e-9); // clocks of browsers are rounded
  };
  try {
    await next("multiply-adds, float32");
    const rounds = allocate(16);
    device.queue.writeBuffer(rounds, 0, Uint32Array.of(ROUNDS, 0, 0, 0));
    const sums = allocate(16 * GROUP);
    // Few at first, which is enough for what is slow.
    const few = await time(MULTIPLY, [sums, rounds], FEW_GROUPS, 1);
    const groups = Math.min(GROUPS, FEW_GROUPS * countFor(few, budget));
    const count = groups < GROUPS ? 1 : countFor(await time(MULTIPLY, [sums, rounds], groups, 1), budget);
    const multiplies = 4 * SUMS * ROUNDS * GROUP * groups * count;
    const float32 = multiplies / (await time(MULTIPLY, [sums, rounds], groups, count));

    const levels: Level[] = [];
    const most = Math.min(MOST_BYTES, info.limits.maxStorageBufferBindingSize, info.limits.maxBufferSize);
    for (const [name, bytes] of [
      ["cache", CACHED_BYTES],
      ["memory", isProcessor(info) ? most / 4 : most],
    ] as const) {
      const size = Math.floor(bytes / 2 / 256) * 256;
      const [x, y] = [allocate(size), allocate(size)];
      const movers = moversOf(size);
      await next(`${name}, read`);
      await time(COPY, [x, y], movers, 1); // memory that was never written may all be one page
      const read = await bandwidth(size, (times) => time(READ, [y, x], movers, times), budget);
      await next(`${name}, copy`);
      const copy = await bandwidth(2 * size, (times) => time(COPY, [y, x], movers, times), budget);
      levels.push({ name, capacity: name === "memory" ? null : CACHED_BYTES, read, copy });
    }
    await next("launches");
    const launch = (await time(EMPTY, [], 1, LAUNCHES)) / LAUNCHES;
    const peaks: Peaks = { threads: 1, float32, int16: null, int8: null, levels };
    return {
      ...{ version: MACHINE_VERSION, device: "webgpu", name: gpu.description || "an unnamed adapter", engine },
      ...{ software: isProcessor(info) || SOFTWARE.test(gpu.description), threads: 1 },
      ...{ one: peaks, all: peaks, launch, families: {} },
    };
  } catch (error) {
    throw await gpu.explain(error, "the probe failed");
  } finally {
    timer?.release();
    for (const buffer of buffers) buffer.destroy();
  }
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|\bcpu\b|software/i;

const countFor = (seconds: number, budget: number): number =>
  Math.max(1, Math.min(1000, Math.ceil(budget / 1000 / seconds)));

async function bandwidth(bytes: number, time: (count: number) => Promise<number>, budget: number): Promise<number> {
  const count = countFor(await time(1), budget);
  return (bytes * count) / (await time(count));
}
