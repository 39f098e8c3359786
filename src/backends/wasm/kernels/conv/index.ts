import { anyKernel, type Kernel } from "../../kernel.js";
import { directConv } from "./direct-conv.js";
import { panelConv } from "./panel-conv.js";
import { stripConv } from "./strip-conv.js";
import { transposedConv } from "./transposed-conv.js";

export const convKernels: readonly Kernel[] = [
  anyKernel(directConv),
  anyKernel(stripConv),
  anyKernel(panelConv),
  anyKernel(transposedConv),
];
