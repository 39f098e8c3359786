import { Tensor } from "../../tensor/index.js";
import { isConcrete, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "./dims.js";

interface ShapeAttributes {
  /** From opset 15, with `end`: which dimensions; negative ones count from the back. */
  readonly start: number;
  readonly end: number | undefined;
}

/** ONNX Shape: the dimensions [start, end) of the input as an int64 vector. */
export const shape: Operator<ShapeAttributes> = {
  name: "Shape",
  domain: "",
  attributes: (node) => ({
    start: node.version >= 15 ? node.int("start", 0) : 0,
    end: node.version >= 15 ? node.optional("end", "int") : undefined,
  }),
  infer(inputs, a) {
    const x = need(inputs, 0).type.shape;
    return [{ dtype: "int64", shape: [x === null ? unknownDim() : x.slice(a.start, a.end).length] }];
  },
  fromTypes(inputs, a) {
    const x = need(inputs, 0).type.shape;
    if (!isConcrete(x)) return null;
    const dims = x.slice(a.start, a.end);
    return [Tensor.from("int64", [dims.length], dims)];
  },
  evaluate(inputs, a) {
    const dims = need(inputs, 0).shape.slice(a.start, a.end);
    return [Tensor.from("int64", [dims.length], dims)];
  },
};
