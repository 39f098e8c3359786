import { anyKernel, type Kernel } from "../../kernel.js";
import { laneAttention } from "./attention.js";
import { laneConv } from "./conv.js";
import { laneLinear } from "./linear.js";

/** What processors that play GPU run, before the kernels for GPUs are asked. */
export const laneKernels: readonly Kernel[] = [anyKernel(laneLinear), anyKernel(laneConv), anyKernel(laneAttention)];
