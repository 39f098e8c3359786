import { Tensor } from "../../tensor/index.js";
import type { Operator } from "../operator.js";

/** ONNX Relu: max(x, 0), elementwise; same shape and dtype as the input. */
export const relu: Operator<null> = {
  name: "Relu",
  domain: "",
  attributes: () => null,
  infer: ([x]) => [x!.type],
  evaluate: ([x]) => [
    Tensor.from(
      x!.dtype,
      x!.shape,
      Array.from(x!.numbers(), (v) => Math.max(v, 0)),
    ),
  ],
};
