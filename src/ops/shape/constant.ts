import { Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import type { Operator } from "../operator.js";

interface ConstantAttributes {
  readonly value: Tensor;
}

/** ONNX Constant: the tensor in the attribute `value`, or a float32, int64 or string scalar or vector in one of the others. */
export const constant: Operator<ConstantAttributes> = {
  name: "Constant",
  domain: "",
  attributes: (node) => ({ value: valueIn(node) }),
  infer: (_, { value }) => [{ dtype: value.dtype, shape: value.shape }],
  evaluate: (_, { value }) => [value],
};

function valueIn(node: Attributes): Tensor {
  if (node.has("value_float")) return Tensor.scalar("float32", node.float("value_float"));
  if (node.has("value_int")) return Tensor.scalar("int64", node.int("value_int"));
  if (node.has("value_string")) return new Tensor("string", [], [node.string("value_string")]);
  if (node.has("value_floats")) return vector("float32", node.floats("value_floats"));
  if (node.has("value_ints")) return vector("int64", node.ints("value_ints"));
  if (node.has("value_strings")) {
    const strings = node.strings("value_strings");
    return new Tensor("string", [strings.length], [...strings]);
  }
  return node.tensor("value");
}

const vector = (dtype: "float32" | "int64", values: readonly number[]): Tensor =>
  Tensor.from(dtype, [values.length], values);
