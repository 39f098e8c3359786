export type { CompileOptions, CompileProgress, GpuTensor, OwnedGpuTensor } from "../backends/webgpu/index.js";
export { nonzeroBackend, registerNonzero } from "./backend.js";
export type { IoBinding } from "./io-binding.js";
export { loadModel } from "./load.js";
export type { OutputLocation, OutputLocations } from "./location.js";
export { ASYNC_DEVICES, type AsyncDeviceName, DEVICES, type DeviceName, type RunnerOptions } from "./makers.js";
export { EXECUTION_PROVIDER, type NonzeroExecutionProvider } from "./providers.js";
export { type Outputs, Runner } from "./runner.js";
export { env, InferenceSession, type SessionOptions, Tensor } from "./session.js";
