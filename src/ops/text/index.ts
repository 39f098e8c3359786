import type { Operator } from "../operator.js";

/** Strings. */
export const textOperators: readonly Operator[] = [];
