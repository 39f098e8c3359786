import { env, type InferenceSession } from "onnxruntime-common";
import type { CompileOptions } from "../backends/webgpu/index.js";
import type { Results } from "../compiler/index.js";
import type { Model } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";
import { gpuOfEnv } from "./env.js";
import type { AsyncDeviceName, DeviceName, RunnerOptions } from "./makers.js";
import { Runner } from "./runner.js";
import type { TuneAtCreation } from "./tuning.js";

/** The name under which the backend is registered: `executionProviders: ["nonzero"]`. */
export const EXECUTION_PROVIDER = "nonzero";

/** Options of the execution provider: `executionProviders: [{ name: "nonzero", threads: 2 }]`. */
export interface NonzeroExecutionProvider {
  readonly name: typeof EXECUTION_PROVIDER;
  readonly device?: DeviceName | AsyncDeviceName;
  readonly threads?: number;
  /** For the device "webgpu": the GPU to run on. */
  readonly gpuDevice?: GPUDevice;
  /** As `RunnerOptions` has it. */
  readonly compiling?: CompileOptions;
  readonly tune?: TuneAtCreation | false;
  /** As `RunnerOptions` has it. */
  readonly layout?: "auto" | "stored";
}

type Provider = string | { readonly name: string };

/** onnxruntime's own names for what Nonzero has too. */
const DEVICE_OF: Readonly<Record<string, DeviceName | AsyncDeviceName>> = {
  webgpu: "webgpu",
  wasm: "wasm",
  cpu: "wasm",
};

/**
 * What a provider is here: ours as it is, onnxruntime's "webgpu", "wasm" and "cpu" by their devices (`{ name: "webgpu", device }` brings a
 * GPUDevice); null for what Nonzero does not have.
 */
export function asOurs(provider: Provider): NonzeroExecutionProvider | null {
  const { name, ...rest } = typeof provider === "string" ? { name: provider } : provider;
  if (name === EXECUTION_PROVIDER) return { ...rest, name };
  if (!Object.hasOwn(DEVICE_OF, name)) return null;
  const { device: gpuDevice } = rest as { device?: unknown };
  return {
    name: EXECUTION_PROVIDER,
    device: DEVICE_OF[name]!,
    ...(name === "webgpu" && gpuDevice ? { gpuDevice: gpuDevice as GPUDevice } : {}),
  };
}

/**
 * A runner on the first of the session's execution providers that there is a device for; by default on WebAssembly. "webgpu" before "wasm" is the
 * device "auto". It says on the console what was passed over, unless `logSeverityLevel` or `env.logLevel` want errors only.
 * @throws NonzeroError as `Runner.create` does for the last of them.
 */
export async function runnerFor(model: Model, options: InferenceSession.SessionOptions): Promise<Runner<Results>> {
  const wanted = withAuto((options.executionProviders ?? []).map(asOurs).filter((provider) => provider !== null));
  const onGpu = wanted.some(({ device }) => device === "webgpu" || device === "auto");
  for (const [i, provider] of wanted.entries()) {
    try {
      return await Runner.create(model, runnerOptions(provider, options, onGpu));
    } catch (error) {
      if (i === wanted.length - 1 || !(error instanceof NonzeroError) || error.code !== "device") throw error;
      warn(error.message, options);
    }
  }
  throw new Error("there is always a last provider");
}

/** The providers with "webgpu" before "wasm" as one "auto"; "wasm" where there are none. */
function withAuto(providers: readonly NonzeroExecutionProvider[]): NonzeroExecutionProvider[] {
  const merged: NonzeroExecutionProvider[] = [];
  for (const provider of providers) {
    const { device = "wasm" } = provider;
    const before = merged.at(-1);
    if (before?.device === "webgpu" && device === "wasm")
      merged[merged.length - 1] = { ...provider, ...before, device: "auto" };
    else merged.push({ ...provider, device });
  }
  return merged.length > 0 ? merged : [{ name: EXECUTION_PROVIDER, device: "wasm" }];
}

/** `onGpu`: a GPU was asked for, so that where WebAssembly stands in, the outputs' locations are passed over too. */
function runnerOptions(
  { device = "wasm", gpuDevice = gpuOfEnv(), threads: ours, compiling, tune: own, layout }: NonzeroExecutionProvider,
  options: InferenceSession.SessionOptions,
  onGpu: boolean,
): RunnerOptions {
  const threads = ours ?? options.intraOpNumThreads;
  const { freeDimensionOverrides, preferredOutputLocation } = options;
  const tune = own ?? (options as Pick<RunnerOptions, "tune">).tune;
  const standsIn = onGpu && device !== "webgpu" && device !== "auto";
  return {
    device,
    ...(gpuDevice === undefined ? {} : { gpuDevice }),
    ...(compiling === undefined ? {} : { compiling }),
    ...(tune === undefined ? {} : { tune }),
    ...(layout === undefined ? {} : { layout }),
    ...(threads === undefined || (threads === 0 && ours === undefined) ? {} : { threads }), // onnxruntime's 0 is its default
    ...(freeDimensionOverrides === undefined ? {} : { freeDimensionOverrides }),
    ...(preferredOutputLocation === undefined || standsIn
      ? {}
      : { preferredOutputLocation: preferredOutputLocation as NonNullable<RunnerOptions["preferredOutputLocation"]> }),
  };
}

/** Says on the console, once a reason, why WebAssembly runs what a GPU was to run; to be called when that may have changed. */
export function fallbackTeller(runner: Runner<Results>, options: InferenceSession.SessionOptions): () => void {
  let said: string | null = null;
  return () => {
    const { fallback } = runner;
    if (fallback !== null && fallback !== said) warn(fallback, options);
    said = fallback;
  };
}

/** onnxruntime's severity of a warning. */
const WARNING = 2;

function warn(why: string, { logSeverityLevel = WARNING }: InferenceSession.SessionOptions): void {
  if (logSeverityLevel > WARNING || env.logLevel === "error" || env.logLevel === "fatal") return;
  console.warn(`nonzero: WebGPU is passed over, the next execution provider runs instead: ${why}`);
}
