export { Gpu, type GpuFinder, type GpuOptions, requestGpu, setGpuFinder } from "./gpu.js";
export type * from "./kernel.js";
export type { CompileOptions, CompileProgress } from "./pipelines.js";
export { Session } from "./session.js";
export { type HeldGpu, holdGpu } from "./shared.js";
