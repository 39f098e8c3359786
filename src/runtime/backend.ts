import type { Backend, InferenceSession, InferenceSessionHandler, OnnxValue } from "onnxruntime-common";
import { isGpuTensor } from "../backends/webgpu/gpu-tensor.js";
import type { OwnedGpuTensor } from "../backends/webgpu/index.js";
import type { Results } from "../compiler/index.js";
import type { Value } from "../graph/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { checkOnGpu, classOf, fromOrt, toOrt } from "./convert.js";
import { type ExternalDataOption, loadModel } from "./load.js";
import { outputsOnGpu } from "./location.js";
import { EXECUTION_PROVIDER, fallbackTeller, runnerFor } from "./providers.js";
import type { Runner } from "./runner.js";

/**
 * Nonzero as a backend of onnxruntime-common. Registered under "webgpu", "wasm" or "cpu" it runs there; under "nonzero" as that provider's options
 * say.
 */
export const nonzeroBackend: Backend = {
  async init() {},
  async createInferenceSessionHandler(source, options = {}) {
    const model = await loadModel(source, (options.externalData ?? []) as ExternalDataOption);
    const runner = await runnerFor(model, options);
    try {
      if (runner.gpuDevice !== null) checkKept(runner, options);
      return handlerFor(runner, fallbackTeller(runner, options));
    } catch (error) {
      runner.release();
      throw error;
    }
  },
};

/** Where a backend can be registered: any copy of onnxruntime-common, or onnxruntime-web, or onnxruntime-node. */
export interface BackendRegistry {
  registerBackend(name: string, backend: Backend, priority: number): void;
}

/** Makes `executionProviders: ["nonzero"]` work in that copy of onnxruntime; its defaults stay as they are. */
export const registerNonzero = (ort: BackendRegistry): void =>
  ort.registerBackend(EXECUTION_PROVIDER, nonzeroBackend, -1);

/** @throws NonzeroError "unsupported" for outputs that are to stay on the GPU and that onnxruntime's tensors do not have there. */
function checkKept({ outputs }: Runner<Results>, { preferredOutputLocation }: InferenceSession.SessionOptions): void {
  const kept = outputsOnGpu(outputs, preferredOutputLocation as Parameters<typeof outputsOnGpu>[1]);
  for (const [i, { name, type }] of outputs.entries()) if (kept[i] && type !== null) checkOnGpu(name, type.dtype);
}

/** `tell` says what fell back. */
function handlerFor(runner: Runner<Results>, tell: () => void): InferenceSessionHandler {
  tell();
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
      const outputs = await runner.runLocated(tensors, Object.fromEntries(given));
      tell();
      const Ort = classOf([...Object.values(feeds), ...Object.values(fetches).filter((target) => target !== null)]);
      const results: Record<string, OnnxValue> = {};
      for (const [name, output] of Object.entries(outputs)) {
        const target = fetches[name];
        if (target === undefined) disposeOf(output as Tensor | OwnedGpuTensor);
        else if (target !== null) results[name] = target;
        else {
          if (isGpuTensor(output)) checkOnGpu(name, output.dtype);
          results[name] = toOrt(output as Tensor | OwnedGpuTensor, Ort);
        }
      }
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

/** Gives back an output that nobody asked for. */
function disposeOf(output: Tensor | OwnedGpuTensor): void {
  if (!(output instanceof Tensor)) output.dispose();
}

function metadataOf({ name, type }: Value): InferenceSession.ValueMetadata {
  if (type === null) return { name, isTensor: false };
  return { name, isTensor: true, type: type.dtype as "float32", shape: type.shape ?? [] };
}
