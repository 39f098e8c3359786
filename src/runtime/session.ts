import * as common from "onnxruntime-common";
import { EXECUTION_PROVIDER, type NonzeroExecutionProvider, registerNonzero } from "./backend.js";

registerNonzero(common);

/** onnxruntime-common's options; `executionProviders` also takes ours with its own. */
export interface SessionOptions extends Omit<common.InferenceSession.SessionOptions, "executionProviders"> {
  readonly executionProviders?: readonly (NonzeroExecutionProvider | common.InferenceSession.ExecutionProviderConfig)[];
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
 * `release()`, as onnxruntime-web and onnxruntime-node have them. Options honoured: `executionProviders` (device and threads of
 * `{ name: "nonzero" }`; other providers' names are passed over), `intraOpNumThreads`, `freeDimensionOverrides`, `externalData`; the rest
 * is ignored. Errors are NonzeroErrors, but for those of onnxruntime-common's own checks (a feed that is left out is an Error naming it).
 */
export const InferenceSession: { readonly create: Create } = {
  create: async (source: unknown, ...rest: unknown[]) => {
    const options = (isOptions(rest.at(-1)) ? rest.pop() : {}) as SessionOptions;
    const ours = options.executionProviders?.filter((provider) => nameOf(provider) === EXECUTION_PROVIDER) ?? [];
    const executionProviders = ours.length > 0 ? ours : [EXECUTION_PROVIDER];
    const create = common.InferenceSession.create as (...args: unknown[]) => Promise<common.InferenceSession>;
    return create(source instanceof URL ? source.href : source, ...rest, { ...options, executionProviders });
  },
};
export type InferenceSession = common.InferenceSession;

const isOptions = (value: unknown): boolean => typeof value === "object" && value !== null;

const nameOf = (provider: string | { readonly name: string }): string =>
  typeof provider === "string" ? provider : provider.name;

export { env, Tensor } from "onnxruntime-common";
