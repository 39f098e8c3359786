import type { Operator } from "../operator.js";

/** If, Loop, Scan. */
export const controlOperators: readonly Operator[] = [];
