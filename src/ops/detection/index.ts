import type { Operator } from "../operator.js";

/** Boxes and regions. */
export const detectionOperators: readonly Operator[] = [];
