import { anyKernel, type Kernel } from "../../kernel.js";
import { directConv } from "./direct-conv.js";
import { panelConv } from "./panel-conv.js";
import { transposedConv } from "./transposed-conv.js";

export const convKernels: readonly Kernel[] = [anyKernel(directConv), anyKernel(panelConv), anyKernel(transposedConv)];
