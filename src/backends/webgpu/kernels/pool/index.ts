import type { Kernel } from "../../kernel.js";

export const poolKernels: readonly Kernel[] = [];
