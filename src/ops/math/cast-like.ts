import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { castTensor } from "./cast-values.js";

/** ONNX CastLike: the first input's elements as the second input's dtype; the first input's shape. */
export const castLike: Operator<null> = {
  name: "CastLike",
  domain: "",
  attributes: () => null,
  infer: (inputs) => [{ dtype: need(inputs, 1).type.dtype, shape: need(inputs, 0).type.shape }],
  evaluate: (inputs) => [castTensor(need(inputs, 0), need(inputs, 1).dtype)],
};
