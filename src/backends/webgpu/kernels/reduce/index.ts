import type { Kernel } from "../../kernel.js";
import { argExtremeKernel } from "./arg-extreme.js";
import { reduceKernel } from "./reduce.js";
import { softmaxKernel } from "./softmax.js";

/** Kernels that look at whole lines of float32 tensors. */
export const reduceKernels: readonly Kernel[] = [softmaxKernel, reduceKernel, argExtremeKernel];
