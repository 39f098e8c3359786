import type { Kernel } from "../../kernel.js";
import { gatherKernel } from "./gather.js";
import { copyKernels } from "./kernels.js";
import { padKernel } from "./pad.js";
import { padRepeatingKernel } from "./pad-repeating.js";

/** Kernels that move elements of 1, 2, 4 or 8 bytes about without reading them. */
export const moveKernels: readonly Kernel[] = [...copyKernels, gatherKernel, padKernel, padRepeatingKernel];
