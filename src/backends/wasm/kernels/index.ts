import type { Kernel } from "../kernel.js";
import { attentionKernels } from "./attention/index.js";
import { batchMatmulKernels } from "./batch-matmul/index.js";
import { convKernels } from "./conv/index.js";
import { matmulKernels } from "./matmul/index.js";
import { poolKernels } from "./pool/index.js";
import { quantizedKernels } from "./quantized/index.js";
import { smallKernels } from "./small.js";

/** The kernels of the WebAssembly device; the first that matches a node takes it. `on-demand.ts` adds those that few models need. */
export const allKernels: Kernel[] = [
  ...quantizedKernels,
  ...matmulKernels,
  ...batchMatmulKernels,
  ...convKernels,
  ...poolKernels,
  ...attentionKernels,
  ...smallKernels,
];
