import type { Kernel } from "../kernel.js";
import { attentionKernels } from "./attention/index.js";
import { convKernels } from "./conv/index.js";
import { cumSumKernel } from "./cum-sum.js";
import { elementwiseKernel } from "./elementwise/index.js";
import { laneKernels } from "./lanes/index.js";
import { matmulKernels } from "./matmul/index.js";
import { moveKernels } from "./move/index.js";
import { normalizeKernels } from "./normalize/index.js";
import { poolKernels } from "./pool/index.js";
import { reduceKernels } from "./reduce/index.js";
import { resizeKernel } from "./resize/index.js";
import { rotaryEmbeddingKernel } from "./rotary-embedding.js";
import { sparsifyKernels } from "./sparsify/index.js";
import { widened } from "./widened.js";

/** Every kernel of the WebGPU device; the first that matches a node takes it. */
export const allKernels: readonly Kernel[] = [
  elementwiseKernel,
  ...moveKernels,
  ...laneKernels.map(widened),
  ...matmulKernels.map(widened),
  ...convKernels.map(widened),
  ...poolKernels,
  ...attentionKernels.map(widened),
  ...reduceKernels,
  ...normalizeKernels,
  widened(resizeKernel),
  widened(rotaryEmbeddingKernel),
  cumSumKernel,
  ...sparsifyKernels,
];
