import { sizeOf, Tensor } from "../../tensor/index.js";
import { isConcrete, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX Size: the number of elements of the input, an int64 scalar. */
export const size: Operator<null> = {
  name: "Size",
  domain: "",
  attributes: () => null,
  infer: () => [{ dtype: "int64", shape: [] }],
  fromTypes(inputs) {
    const x = need(inputs, 0).type.shape;
    return isConcrete(x) ? [Tensor.scalar("int64", sizeOf(x))] : null;
  },
  evaluate: (inputs) => [Tensor.scalar("int64", need(inputs, 0).size)],
};
