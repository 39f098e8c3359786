import { anyKernel, type Kernel } from "../../kernel.js";
import { batchMatMul } from "./batch.js";
import { linear } from "./linear.js";

export const matmulKernels: readonly Kernel[] = [anyKernel(linear), anyKernel(batchMatMul)];
