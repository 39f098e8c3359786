import * as common from "onnxruntime-common";
import { EXECUTION_PROVIDER, registerNonzero } from "./backend.js";

registerNonzero(common);

type Create = typeof common.InferenceSession.create;

/**
 * onnxruntime's InferenceSession on Nonzero: `create(path | URL | bytes, options)`, `run(feeds)`, `inputNames`, `inputMetadata`,
 * `release()`, as onnxruntime-web and onnxruntime-node have them. Options honoured: `executionProviders` (device and threads of
 * `{ name: "nonzero" }`), `intraOpNumThreads`, `freeDimensionOverrides`, `externalData`; the rest is ignored.
 */
export const InferenceSession: { create: Create } = {
  create: ((...args: unknown[]) => {
    const last = args[args.length - 1];
    const given = isOptions(last) ? (args.pop() as common.InferenceSession.SessionOptions) : {};
    const options = { executionProviders: [EXECUTION_PROVIDER], ...given };
    return (common.InferenceSession.create as (...args: unknown[]) => unknown)(...args, options);
  }) as Create,
};
export type InferenceSession = common.InferenceSession;

const isOptions = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof ArrayBuffer) &&
  !(typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer);

export { env, Tensor } from "onnxruntime-common";
