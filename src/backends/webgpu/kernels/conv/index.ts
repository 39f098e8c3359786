import { anyKernel, type Kernel } from "../../kernel.js";
import { directConv } from "./direct.js";
import { sparseConv } from "./sparse.js";
import { tileConv } from "./tile.js";
import { transposedConv } from "./transposed.js";

export const convKernels: readonly Kernel[] = [
  anyKernel(directConv),
  anyKernel(sparseConv),
  anyKernel(tileConv),
  anyKernel(transposedConv),
];
