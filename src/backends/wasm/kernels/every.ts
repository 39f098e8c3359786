import { integerKernels } from "./integer/index.js";
import { addKernels } from "./on-demand.js";
import { sparsifyKernels } from "./sparsify/index.js";

/** Puts all kernels in place at once, where their bytes cost nothing: Node, tests. */
export const everyKernel = (): void => addKernels([...integerKernels, ...sparsifyKernels]);
