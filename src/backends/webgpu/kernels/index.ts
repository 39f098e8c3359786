import type { Kernel } from "../kernel.js";

/** Every kernel of the WebGPU device; the first that matches a node takes it. */
export const allKernels: readonly Kernel[] = [];

export { isFusible } from "../../wasm/kernels/elementwise/program.js";
