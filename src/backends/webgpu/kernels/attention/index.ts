import { anyKernel, type Kernel } from "../../kernel.js";
import { attention } from "./attention.js";

export const attentionKernels: readonly Kernel[] = [anyKernel(attention)];
