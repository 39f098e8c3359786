import { anyKernel, type Kernel } from "../../kernel.js";
import { integerLinear } from "./integer-linear.js";

/** Products of 8-bit levels. */
export const integerKernels: readonly Kernel[] = [anyKernel(integerLinear)];
