export { Gpu, type GpuFinder, type GpuOptions, requestGpu, setGpuFinder } from "./gpu.js";
export type { GpuTensor } from "./gpu-tensor.js";
export type * from "./kernel.js";
export type { OwnedGpuTensor } from "./owned-tensor.js";
export type { CompileOptions, CompileProgress } from "./pipelines.js";
export { Session } from "./session.js";
export { type HeldGpu, holdGpu, lastingDevice } from "./shared.js";
export { writeInto } from "./transfer.js";
export { identityOf, trialSession } from "./trials.js";
