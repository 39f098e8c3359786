import type { Operator } from "../operator.js";

/** Random tensors. */
export const randomOperators: readonly Operator[] = [];
