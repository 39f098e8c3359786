import { predicate } from "./unary.js";

/** ONNX IsNaN: which elements of a float tensor are NaN, as bool. */
export const isNan = predicate(
  "IsNaN",
  () => null,
  () => Number.isNaN,
);
