import type { Operator } from "../operator.js";

/** Operators that move, cut, join and index elements. */
export const shapeOperators: readonly Operator[] = [];
