import type { Kernel } from "../../kernel.js";

export const attentionKernels: readonly Kernel[] = [];
