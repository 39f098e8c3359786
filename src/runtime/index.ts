export {
  EXECUTION_PROVIDER,
  type NonzeroExecutionProvider,
  nonzeroBackend,
  registerNonzero,
} from "./backend.js";
export { loadModel } from "./load.js";
export {
  ASYNC_DEVICES,
  type AsyncDeviceName,
  DEVICES,
  type DeviceName,
  type Outputs,
  Runner,
  type RunnerOptions,
} from "./runner.js";
export { env, InferenceSession, type SessionOptions, Tensor } from "./session.js";
