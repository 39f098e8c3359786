import type { Backend, InferenceSession, InferenceSessionHandler, OnnxValue } from "onnxruntime-common";
import type { Results } from "../compiler/index.js";
import type { Value } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";
import { fromOrt, toOrt } from "./convert.js";
import { type ExternalDataOption, loadModel } from "./load.js";
import { type AsyncDeviceName, type DeviceName, Runner, type RunnerOptions } from "./runner.js";

/** The name under which the backend is registered: `executionProviders: ["nonzero"]`. */
export const EXECUTION_PROVIDER = "nonzero";

/** Options of the execution provider: `executionProviders: [{ name: "nonzero", threads: 2 }]`. */
export interface NonzeroExecutionProvider {
  readonly name: typeof EXECUTION_PROVIDER;
  readonly device?: DeviceName | AsyncDeviceName;
  readonly threads?: number;
  /** For the device "webgpu": the GPU to run on. */
  readonly gpuDevice?: GPUDevice;
}

/** Nonzero as a backend of onnxruntime-common. */
export const nonzeroBackend: Backend = {
  async init() {},
  async createInferenceSessionHandler(source, options = {}) {
    const model = await loadModel(source, (options.externalData ?? []) as ExternalDataOption);
    return handlerFor(await Runner.create(model, runnerOptions(options)));
  },
};

/** Where a backend can be registered: any copy of onnxruntime-common, or onnxruntime-web, or onnxruntime-node. */
export interface BackendRegistry {
  registerBackend(name: string, backend: Backend, priority: number): void;
}

/** Makes `executionProviders: ["nonzero"]` work in that copy of onnxruntime; its defaults stay as they are. */
export const registerNonzero = (ort: BackendRegistry): void =>
  ort.registerBackend(EXECUTION_PROVIDER, nonzeroBackend, -1);

function runnerOptions(options: InferenceSession.SessionOptions): RunnerOptions {
  const ours = options.executionProviders?.find(
    (provider): provider is NonzeroExecutionProvider & InferenceSession.ExecutionProviderOption =>
      typeof provider !== "string" && provider.name === EXECUTION_PROVIDER,
  );
  const threads = ours?.threads ?? options.intraOpNumThreads;
  return {
    ...(ours?.device === undefined ? {} : { device: ours.device }),
    ...(ours?.gpuDevice === undefined ? {} : { gpuDevice: ours.gpuDevice }),
    ...(threads === undefined || (threads === 0 && ours?.threads === undefined) ? {} : { threads }), // onnxruntime's 0 is its default
    ...(options.freeDimensionOverrides === undefined ? {} : { freeDimensionOverrides: options.freeDimensionOverrides }),
  };
}

function handlerFor(runner: Runner<Results>): InferenceSessionHandler {
  return {
    inputNames: runner.inputs.map((value) => value.name),
    outputNames: runner.outputs.map((value) => value.name),
    inputMetadata: runner.inputs.map(metadataOf),
    outputMetadata: runner.outputs.map(metadataOf),
    async run(feeds, fetches) {
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, fromOrt(name, value)]));
      const given = Object.entries(fetches).flatMap(([name, target]) =>
        target === null ? [] : [[name, fromOrt(name, target)] as const],
      );
      const outputs = await runner.run(tensors, Object.fromEntries(given));
      const results: Record<string, OnnxValue> = {};
      for (const [name, target] of Object.entries(fetches)) results[name] = target ?? toOrt(outputs[name]!);
      return results;
    },
    async dispose() {
      runner.release();
    },
    startProfiling() {
      throw new NonzeroError("unsupported", "sessions have no profiler; `nonzero bench` times a model");
    },
    endProfiling() {},
  };
}

function metadataOf({ name, type }: Value): InferenceSession.ValueMetadata {
  if (type === null) return { name, isTensor: false };
  return { name, isTensor: true, type: type.dtype as "float32", shape: type.shape ?? [] };
}
