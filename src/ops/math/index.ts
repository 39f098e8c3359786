import type { Operator } from "../operator.js";
import { relu } from "./relu.js";

/** Elementwise arithmetic, comparisons, logic, reductions and matrix products. */
export const mathOperators: readonly Operator[] = [relu];
