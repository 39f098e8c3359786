import { arithmetic } from "./binary.js";

/** ONNX Sub: a - b of two broadcast tensors of one numeric dtype. */
export const sub = arithmetic("Sub", () => ({ number: (a, b) => a - b, bigint: (a, b) => a - b }));
