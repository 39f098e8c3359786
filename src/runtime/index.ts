export {
  EXECUTION_PROVIDER,
  type NonzeroExecutionProvider,
  nonzeroBackend,
  registerNonzero,
} from "./backend.js";
export { loadModel } from "./load.js";
export { DEVICES, type DeviceName, Runner, type RunnerOptions } from "./runner.js";
export { env, InferenceSession, type SessionOptions, Tensor } from "./session.js";
