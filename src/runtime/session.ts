import * as common from "onnxruntime-common";
import { registerNonzero } from "./backend.js";
import { exposeGpu } from "./env.js";
import { asOurs, EXECUTION_PROVIDER, type NonzeroExecutionProvider } from "./providers.js";
import type { TuneAtCreation } from "./tuning.js";

registerNonzero(common);
exposeGpu();

/** onnxruntime-common's options; `executionProviders` also takes ours with its own. */
export interface SessionOptions extends Omit<common.InferenceSession.SessionOptions, "executionProviders"> {
  readonly executionProviders?: readonly (NonzeroExecutionProvider | common.InferenceSession.ExecutionProviderConfig)[];
  /** Kernels are measured for this machine: see RunnerOptions. */
  readonly tune?: TuneAtCreation | false;
}

interface Create {
  (source: string | URL | Uint8Array | ArrayBufferLike, options?: SessionOptions): Promise<common.InferenceSession>;
  (
    buffer: ArrayBufferLike,
    byteOffset: number,
    byteLength?: number,
    options?: SessionOptions,
  ): Promise<common.InferenceSession>;
}

/**
 * onnxruntime's InferenceSession on Nonzero: `create(path | URL | bytes, options)`, `run(feeds, fetches?)`, `inputNames`, `inputMetadata`,
 * `release()`, as onnxruntime-web and onnxruntime-node have them. Options honoured: `executionProviders` ("webgpu", "wasm" and "cpu", and
 * `{ name: "nonzero" }` with its device and threads; the first that there is a device for, and what it is not is said on the console; other
 * providers' names are passed over, and the default is "wasm"), `preferredOutputLocation` ("cpu" and "gpu-buffer"), `intraOpNumThreads`,
 * `freeDimensionOverrides`, `externalData`, `logSeverityLevel`, and our own `tune`; the rest is ignored. On WebGPU tensors may be made by `Tensor.fromGpuBuffer`, with buffers of
 * `env.webgpu.device`. Errors are NonzeroErrors, but for those of onnxruntime-common's own checks (a feed that is left out is an Error naming it).
 */
export const InferenceSession: { readonly create: Create } = {
  create: async (source: unknown, ...rest: unknown[]) => {
    const options = (isOptions(rest.at(-1)) ? rest.pop() : {}) as SessionOptions;
    const ours = (options.executionProviders ?? []).map(asOurs).filter((provider) => provider !== null);
    const executionProviders = ours.length > 0 ? ours : [EXECUTION_PROVIDER];
    const create = common.InferenceSession.create as (...args: unknown[]) => Promise<common.InferenceSession>;
    return create(source instanceof URL ? source.href : source, ...rest, { ...options, executionProviders });
  },
};
export type InferenceSession = common.InferenceSession;

const isOptions = (value: unknown): boolean => typeof value === "object" && value !== null;

export { env, Tensor } from "onnxruntime-common";
