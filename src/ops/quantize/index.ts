import type { Operator } from "../operator.js";

/** Quantized arithmetic. */
export const quantizeOperators: readonly Operator[] = [];
