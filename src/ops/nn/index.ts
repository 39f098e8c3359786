import type { Operator } from "../operator.js";

/** Convolutions, pooling, normalizations, recurrent layers, attention. */
export const nnOperators: readonly Operator[] = [];
