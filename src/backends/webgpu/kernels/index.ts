import type { Kernel } from "../kernel.js";
import { elementwiseKernel } from "./elementwise/index.js";
import { moveKernels } from "./move/index.js";

/** Every kernel of the WebGPU device; the first that matches a node takes it. */
export const allKernels: readonly Kernel[] = [elementwiseKernel, ...moveKernels];

export { isFusible } from "../../wasm/kernels/elementwise/program.js";
