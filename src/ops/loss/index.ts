import type { Operator } from "../operator.js";

/** Losses of the ONNX training operators. */
export const lossOperators: readonly Operator[] = [];
