export type { TuneProgress, TuneResult, TuningCache } from "../backends/tuner/index.js";
export type { CompileOptions, CompileProgress, GpuTensor, OwnedGpuTensor } from "../backends/webgpu/index.js";
export { nonzeroBackend, registerNonzero } from "./backend.js";
export type { IoBinding } from "./io-binding.js";
export { loadModel } from "./load.js";
export type { OutputLocation, OutputLocations } from "./location.js";
export { type MachineRequest, thisMachine } from "./machine.js";
export { ASYNC_DEVICES, type AsyncDeviceName, DEVICES, type DeviceName, type RunnerOptions } from "./makers.js";
export {
  type PredictedLayer,
  type PredictedModel,
  type PredictedPattern,
  type PredictedRun,
  type PredictedStep,
  type PredictOptions,
  predict,
} from "./predict.js";
export { EXECUTION_PROVIDER, type NonzeroExecutionProvider } from "./providers.js";
export { type Outputs, Runner } from "./runner.js";
export { env, InferenceSession, type SessionOptions, Tensor } from "./session.js";
export type { TuneAtCreation, TuneOptions, TuneReport } from "./tuning.js";
