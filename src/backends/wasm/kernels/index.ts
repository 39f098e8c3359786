import type { Kernel } from "../kernel.js";
import { attentionKernels } from "./attention/index.js";
import { batchMatmulKernels } from "./batch-matmul/index.js";
import { convKernels } from "./conv/index.js";
import { integerKernels } from "./integer/index.js";
import { matmulKernels } from "./matmul/index.js";
import { poolKernels } from "./pool/index.js";
import { quantizedKernels } from "./quantized/index.js";
import { smallKernels } from "./small.js";
import { sparsifyKernels } from "./sparsify/index.js";

/** Every kernel of the WebAssembly device; the first that matches a node takes it. */
export const allKernels: readonly Kernel[] = [
  ...quantizedKernels,
  ...matmulKernels,
  ...integerKernels,
  ...batchMatmulKernels,
  ...convKernels,
  ...poolKernels,
  ...attentionKernels,
  ...smallKernels,
  ...sparsifyKernels,
];
