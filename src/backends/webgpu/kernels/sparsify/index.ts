import type { Kernel } from "../../kernel.js";
import { sparsify24Kernel } from "./sparsify24.js";

export const sparsifyKernels: readonly Kernel[] = [sparsify24Kernel];
