import type { Kernel } from "../../kernel.js";

export const convKernels: readonly Kernel[] = [];
