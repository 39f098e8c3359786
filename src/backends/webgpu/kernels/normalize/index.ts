import type { Kernel } from "../../kernel.js";
import { batchNormalizationKernel } from "./batch.js";
import { groupNormalizationKernel } from "./groups.js";
import { localResponseKernel } from "./local-response.js";
import { rowNormalizationKernel } from "./rows.js";

/** Normalizations of float32 tensors. */
export const normalizeKernels: readonly Kernel[] = [
  rowNormalizationKernel,
  groupNormalizationKernel,
  batchNormalizationKernel,
  localResponseKernel,
];
