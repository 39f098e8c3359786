import type { Kernel } from "../kernel.js";

/** Every kernel of the WebAssembly device; the first that matches a node takes it. */
export const allKernels: readonly Kernel[] = [];
