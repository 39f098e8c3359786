import type { DataType } from "../../tensor/index.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import { castTensor } from "./cast-values.js";

/** ONNX Cast: the elements as dtype `to`, numbers, bools or strings; same shape. float8 is not supported, so `saturate` has no meaning here. */
export const cast: Operator<{ to: DataType }> = {
  name: "Cast",
  domain: "",
  attributes: (node) => ({ to: dtypeOfCode(node.int("to"), "to") }),
  infer: (inputs, { to }) => [{ dtype: to, shape: need(inputs, 0).type.shape }],
  evaluate: (inputs, { to }) => [castTensor(need(inputs, 0), to)],
};
