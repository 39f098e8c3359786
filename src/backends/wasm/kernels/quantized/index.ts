import { anyKernel, type Kernel } from "../../kernel.js";
import { quantizedGather } from "./gather.js";
import { quantizedLinear } from "./linear.js";

/** Kernels for quantized weights and float32 activations. They take nodes before the kernels for sparse weights, which know such weights as sparse ones. */
export const quantizedKernels: readonly Kernel[] = [anyKernel(quantizedLinear), anyKernel(quantizedGather)];
