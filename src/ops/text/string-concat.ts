import { broadcastShapes, Tensor } from "../../tensor/index.js";
import { broadcastValues } from "../elementwise.js";
import { broadcastTypes, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** ONNX StringConcat: the strings of two tensors joined pairwise, broadcast as NumPy does. */
export const stringConcat: Operator<null> = {
  name: "StringConcat",
  domain: "",
  attributes: () => null,
  infer: (inputs) => [broadcastTypes([need(inputs, 0), need(inputs, 1)], "string")],
  evaluate(inputs) {
    const [a, b] = [need(inputs, 0), need(inputs, 1)];
    const shape = broadcastShapes(a.shape, b.shape);
    const right = broadcastValues(b.strings(), b.shape, shape);
    const joined = broadcastValues(a.strings(), a.shape, shape).map((s, i) => s + right[i]);
    return [new Tensor("string", shape, joined)];
  },
};
