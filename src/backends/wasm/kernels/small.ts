import type { Kernel } from "../kernel.js";
import { cumSumKernel } from "./cum-sum.js";
import { elementwiseKernel } from "./elementwise/index.js";
import { moveKernels } from "./move/index.js";
import { normalizeKernels } from "./normalize/index.js";
import { reduceKernels } from "./reduce/index.js";
import { resizeKernel } from "./resize/index.js";
import { rotaryEmbeddingKernel } from "./rotary-embedding.js";

/** The kernels around the large ones: elementwise operators, reductions, normalizations, and what moves elements about. */
export const smallKernels: readonly Kernel[] = [
  elementwiseKernel,
  ...moveKernels,
  ...reduceKernels,
  ...normalizeKernels,
  resizeKernel,
  rotaryEmbeddingKernel,
  cumSumKernel,
];
