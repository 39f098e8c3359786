import type { Operator } from "../operator.js";

/** Operators of the com.microsoft domain that hub models hold. */
export const contribOperators: readonly Operator[] = [];
