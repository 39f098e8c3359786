import * as common from "onnxruntime-common";
import { EXECUTION_PROVIDER, registerNonzero } from "./backend.js";

registerNonzero(common);

type Create = typeof common.InferenceSession.create;

/**
 * onnxruntime's InferenceSession on Nonzero: `create(path | URL | bytes, options)`, `run(feeds, fetches?)`, `inputNames`, `inputMetadata`,
 * `release()`, as onnxruntime-web and onnxruntime-node have them. Options honoured: `executionProviders` (device and threads of
 * `{ name: "nonzero" }`; other providers' names are passed over), `intraOpNumThreads`, `freeDimensionOverrides`, `externalData`; the rest
 * is ignored. Errors are NonzeroErrors, but for those of onnxruntime-common's own checks (a feed that is left out is an Error naming it).
 */
export const InferenceSession: { create: Create & ((url: URL, options?: Options) => ReturnType<Create>) } = {
  create: (async (source: unknown, ...rest: unknown[]) => {
    const options = (isOptions(rest.at(-1)) ? rest.pop() : {}) as Options;
    const ours = options.executionProviders?.filter((provider) => nameOf(provider) === EXECUTION_PROVIDER) ?? [];
    const executionProviders = ours.length > 0 ? ours : [EXECUTION_PROVIDER];
    const create = common.InferenceSession.create as (...args: unknown[]) => ReturnType<Create>;
    return create(source instanceof URL ? source.href : source, ...rest, { ...options, executionProviders });
  }) as Create,
};
export type InferenceSession = common.InferenceSession;

type Options = common.InferenceSession.SessionOptions;

const isOptions = (value: unknown): boolean => typeof value === "object" && value !== null;

const nameOf = (provider: common.InferenceSession.ExecutionProviderConfig): string =>
  typeof provider === "string" ? provider : provider.name;

export { env, Tensor } from "onnxruntime-common";
