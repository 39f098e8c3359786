/*
 * What the test pages run. It is bundled with Nonzero into one module; onnxruntime-web stays what its package ships, loaded by URL.
 */
import { env, InferenceSession, loadModel, type NonzeroExecutionProvider, Runner, Tensor } from "../../src/index.js";

export interface Outcome {
  readonly isolated: boolean;
  /** What the runner says it uses, and why it is not what "auto" looks for first. */
  readonly device: string;
  readonly fallback: string | null;
  readonly threads: number;
  readonly loadMs: number;
  readonly firstMs: number;
  /** Median of the later runs. */
  readonly runMs: number;
  readonly output: readonly number[];
}

export interface Comparison {
  /** Largest difference, relative to the largest magnitude of what onnxruntime-web computes. */
  readonly difference: number;
  readonly loadMs: number;
  readonly runMs: number;
  readonly version: string;
}

type Session = Awaited<ReturnType<typeof InferenceSession.create>>;
type OnnxRuntimeWeb = typeof import("onnxruntime-web");

async function samplesAt(url: string): Promise<Float32Array<ArrayBuffer>> {
  return new Float32Array(await (await fetch(url)).arrayBuffer());
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!;

async function timed<T>(body: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const result = await body();
  return [result, performance.now() - start];
}

async function run(session: Session, input: unknown, runs = 6): Promise<{ times: number[]; data: Float32Array }> {
  const times: number[] = [];
  let data = new Float32Array(0);
  for (let i = 0; i < runs; i++) {
    const [results, ms] = await timed(() => session.run({ [session.inputNames[0]!]: input as Tensor }));
    data = results[session.outputNames[0]!]!.data as Float32Array<ArrayBuffer>;
    times.push(ms);
    await new Promise((resolve) => setTimeout(resolve, 5)); // as a page would: events and workers get their turn
  }
  return { times, data };
}

/** Loads a model by URL as a user does, and runs it on raw float32 samples. */
async function runNonzero(
  model: string,
  audio: string,
  provider: Partial<NonzeroExecutionProvider> = {},
  runs?: number,
) {
  const samples = await samplesAt(audio);
  const [session, loadMs] = await timed(() =>
    InferenceSession.create(model, { executionProviders: [{ name: "nonzero", ...provider }] }),
  );
  const { times, data } = await run(session, new Tensor("float32", samples, [1, samples.length]), runs);
  await session.release();
  const runner = await Runner.create(await loadModel(model), provider);
  const { device, fallback, threads } = runner;
  runner.release();
  return {
    isolated: globalThis.crossOriginIsolated,
    device,
    fallback,
    threads,
    loadMs,
    firstMs: times[0]!,
    runMs: median(times.slice(1)),
    output: [...data],
  } satisfies Outcome;
}

async function onnxRuntime(threads: number): Promise<OnnxRuntimeWeb> {
  const url = "/ort/ort.wasm.min.mjs";
  const ort: OnnxRuntimeWeb = await import(url);
  ort.env.wasm.wasmPaths = new URL("/ort/", location.href).href;
  ort.env.wasm.numThreads = threads;
  return ort;
}

/** Runs the model on onnxruntime-web in this page and compares. */
async function compareOnnxRuntime(model: string, audio: string, output: readonly number[], threads: number) {
  const ort = await onnxRuntime(threads);
  const samples = await samplesAt(audio);
  const [session, loadMs] = await timed(() =>
    ort.InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 3 }),
  );
  const { times, data } = await run(session, new ort.Tensor("float32", samples, [1, samples.length]));
  await session.release();
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const apart = data.reduce((most, value, i) => Math.max(most, Math.abs(value - output[i]!)), 0);
  return {
    difference: data.length === output.length ? apart / largest : Number.POSITIVE_INFINITY,
    loadMs,
    runMs: median(times.slice(1)),
    version: ort.env.versions.web ?? "",
  } satisfies Comparison;
}

/**
 * Runs a model (past [n, 4], x [1, 4] → present [n + 1, 4], y [4]) in a loop, present staying on the GPU as the next past; and then with buffers
 * that do not do.
 */
async function loopOnGpu(model: readonly number[], steps: number) {
  const session = await InferenceSession.create(Uint8Array.from(model), {
    executionProviders: ["webgpu"],
    preferredOutputLocation: { present: "gpu-buffer" },
  });
  const device = (await env.webgpu.device) as unknown as GPUDevice;
  const x = new Tensor("float32", Float32Array.of(1, 2, 3, 4), [1, 4]);
  let past: Tensor = new Tensor("float32", new Float32Array(4), [1, 4]);
  const sums: number[][] = [];
  const locations: string[] = [];
  for (let step = 0; step < steps; step++) {
    const { present, y } = await session.run({ past, x });
    sums.push([...(y!.data as Float32Array)]);
    locations.push(present!.location);
    past.dispose();
    past = present as Tensor;
  }
  const cache = [...((await past.getData()) as Float32Array)];
  const outcomeOf = async (gpuBuffer: GPUBuffer): Promise<string> => {
    const tensor = Tensor.fromGpuBuffer(gpuBuffer as Tensor.GpuBufferType, { dataType: "float32", dims: [2, 4] });
    return session.run({ past: tensor, x }).then(
      () => "ran",
      (error: Error) => error.message,
    );
  };
  const STORAGE = 0x80;
  const other = await (await navigator.gpu.requestAdapter())!.requestDevice();
  const destroyed = device.createBuffer({ size: 32, usage: STORAGE });
  const feeds = {
    good: await outcomeOf(destroyed),
    foreign: await outcomeOf(other.createBuffer({ size: 32, usage: STORAGE })),
    small: await outcomeOf(device.createBuffer({ size: 16, usage: STORAGE })),
  };
  destroyed.destroy();
  const late = await outcomeOf(destroyed);
  await session.release();
  return { sums, locations, cache, feeds: { ...feeds, destroyed: late } };
}

const api = { runNonzero, compareOnnxRuntime, loopOnGpu };
export type NonzeroTest = typeof api;
Object.assign(globalThis, { nonzeroTest: api });
