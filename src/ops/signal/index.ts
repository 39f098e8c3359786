import type { Operator } from "../operator.js";

/** Fourier transforms and windows. */
export const signalOperators: readonly Operator[] = [];
