import { anyKernel, type Kernel } from "../../kernel.js";
import { globalPool } from "./global.js";
import { pool } from "./pool.js";

export const poolKernels: readonly Kernel[] = [anyKernel(pool), anyKernel(globalPool)];
