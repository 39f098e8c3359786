import { isFloat } from "../../tensor/index.js";
import { mapNumbers } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX IsInf: which elements of a float tensor are +∞ (unless `detect_positive` is 0) or -∞ (unless `detect_negative` is 0), as bool. */
export const isInf: Operator<{ positive: boolean; negative: boolean }> = {
  name: "IsInf",
  domain: "",
  attributes: (node) => ({
    positive: node.flag("detect_positive", true),
    negative: node.flag("detect_negative", true),
  }),
  infer: (inputs) => {
    const { dtype, shape } = need(inputs, 0).type;
    expectDtype(dtype, isFloat);
    return [{ dtype: "bool", shape }];
  },
  evaluate: (inputs, { positive, negative }) => {
    const found = (x: number): boolean =>
      (positive && x === Number.POSITIVE_INFINITY) || (negative && x === Number.NEGATIVE_INFINITY);
    return [mapNumbers(need(inputs, 0), (x) => (found(x) ? 1 : 0), "bool")];
  },
};
