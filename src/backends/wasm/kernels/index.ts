import type { Node } from "../../../graph/index.js";
import type { Kernel } from "../kernel.js";
import { batchMatmulKernels } from "./batch-matmul/index.js";

/** Every kernel of the WebAssembly device; the first that matches a node takes it. */
export const allKernels: readonly Kernel[] = [...batchMatmulKernels];

/** True for elementwise nodes that may be fused into one generated loop. */
export const fusible = (_node: Node): boolean => false;
