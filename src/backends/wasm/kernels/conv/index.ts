import { anyKernel, type Kernel } from "../../kernel.js";
import { panelConv } from "./panel-conv.js";

export const convKernels: readonly Kernel[] = [anyKernel(panelConv)];
