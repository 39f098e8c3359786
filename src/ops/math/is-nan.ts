import { isFloat } from "../../tensor/index.js";
import { mapNumbers } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX IsNaN: which elements of a float tensor are NaN, as bool. */
export const isNan: Operator<null> = {
  name: "IsNaN",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const { dtype, shape } = need(inputs, 0).type;
    expectDtype(dtype, isFloat);
    return [{ dtype: "bool", shape }];
  },
  evaluate: (inputs) => [mapNumbers(need(inputs, 0), (x) => (Number.isNaN(x) ? 1 : 0), "bool")],
};
