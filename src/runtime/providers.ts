import { env, type InferenceSession } from "onnxruntime-common";
import type { Results } from "../compiler/index.js";
import type { Model } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";
import { gpuOfEnv } from "./env.js";
import type { AsyncDeviceName, DeviceName, RunnerOptions } from "./makers.js";
import { Runner } from "./runner.js";

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
 * A runner on the first of the session's execution providers that there is a device for; by default on WebAssembly. It says on the console what
 * was passed over, unless `logSeverityLevel` or `env.logLevel` want errors only.
 * @throws NonzeroError as `Runner.create` does for the last of them.
 */
export async function runnerFor(model: Model, options: InferenceSession.SessionOptions): Promise<Runner<Results>> {
  const wanted = (options.executionProviders ?? []).map(asOurs).filter((provider) => provider !== null);
  if (wanted.length === 0) wanted.push({ name: EXECUTION_PROVIDER });
  const asked = wanted.some(({ device }) => device === "webgpu" || device === "auto");
  for (const [i, provider] of wanted.entries()) {
    try {
      const runner = await Runner.create(model, runnerOptions(provider, options, asked));
      if (runner.fallback !== null) warn(runner.fallback, runner.device, options);
      return runner;
    } catch (error) {
      const next = wanted[i + 1];
      if (next === undefined || !(error instanceof NonzeroError) || error.code !== "device") throw error;
      warn(error.message, next.device ?? "wasm", options);
    }
  }
  throw new Error("there is always a last provider");
}

/** `fallen`: a GPU was asked for, so that where there is none its output locations are passed over too. */
function runnerOptions(
  { device = "wasm", gpuDevice = gpuOfEnv(), threads: ours }: NonzeroExecutionProvider,
  options: InferenceSession.SessionOptions,
  asked: boolean,
): RunnerOptions {
  const threads = ours ?? options.intraOpNumThreads;
  const onHost = device !== "webgpu" && device !== "auto";
  const { freeDimensionOverrides, preferredOutputLocation } = options;
  return {
    device,
    ...(gpuDevice === undefined ? {} : { gpuDevice }),
    ...(threads === undefined || (threads === 0 && ours === undefined) ? {} : { threads }), // onnxruntime's 0 is its default
    ...(freeDimensionOverrides === undefined ? {} : { freeDimensionOverrides }),
    ...(preferredOutputLocation === undefined || (onHost && asked)
      ? {}
      : { preferredOutputLocation: preferredOutputLocation as NonNullable<RunnerOptions["preferredOutputLocation"]> }),
  };
}

/** onnxruntime's severity of a warning. */
const WARNING = 2;

function warn(why: string, device: string, { logSeverityLevel = WARNING }: InferenceSession.SessionOptions): void {
  if (logSeverityLevel > WARNING || env.logLevel === "error" || env.logLevel === "fatal") return;
  console.warn(`nonzero: WebGPU is not available (${why}); the session runs on '${device}'`);
}
