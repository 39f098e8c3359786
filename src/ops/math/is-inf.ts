import { predicate } from "./unary.js";

/** ONNX IsInf: which elements of a float tensor are +∞ (unless `detect_positive` is 0) or -∞ (unless `detect_negative` is 0), as bool. */
export const isInf = predicate(
  "IsInf",
  (node) => ({ positive: node.flag("detect_positive", true), negative: node.flag("detect_negative", true) }),
  ({ positive, negative }) =>
    (x) =>
      (positive && x === Number.POSITIVE_INFINITY) || (negative && x === Number.NEGATIVE_INFINITY),
);
