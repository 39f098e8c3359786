import { arithmetic } from "./binary.js";

/** ONNX Add: a + b of two broadcast tensors of one numeric dtype. */
export const add = arithmetic("Add", () => ({ number: (a, b) => a + b, bigint: (a, b) => a + b }));
