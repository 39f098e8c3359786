import type { Kernel } from "../kernel.js";
import { elementwiseKernel } from "./elementwise/index.js";
import { moveKernels } from "./move/index.js";

/** The kernels around the large ones: elementwise operators, reductions, normalizations, and what moves elements about. */
export const smallKernels: readonly Kernel[] = [elementwiseKernel, ...moveKernels];

export { isFusible } from "./elementwise/program.js";
