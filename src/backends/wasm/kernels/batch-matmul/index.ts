import { anyKernel, type Kernel } from "../../kernel.js";
import { batchMatMul } from "./batch-matmul.js";

export const batchMatmulKernels: readonly Kernel[] = [anyKernel(batchMatMul)];
