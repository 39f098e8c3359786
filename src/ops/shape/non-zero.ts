import { stridesOf, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "./dims.js";
import { truthOf } from "./truth.js";

/** ONNX NonZero: int64 [rank, count], the coordinates of the elements that are not zero, in row-major order; [0, count] for a scalar. */
export const nonZero: Operator<null> = {
  name: "NonZero",
  domain: "",
  shapeInputs: [0],
  attributes: () => null,
  infer(inputs) {
    const x = need(inputs, 0);
    if (x.value !== undefined) return [{ dtype: "int64", shape: coordinates(x.value).shape }];
    return [{ dtype: "int64", shape: [x.type.shape?.length ?? unknownDim(), unknownDim()] }];
  },
  evaluate: (inputs) => [coordinates(need(inputs, 0))],
};

function coordinates(x: Tensor): Tensor {
  const truth = truthOf(x);
  const count = truth.reduce((sum, one) => sum + one, 0);
  const rank = x.shape.length;
  const strides = stridesOf(x.shape);
  const data = new BigInt64Array(rank * count);
  let at = 0;
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] === 0) continue;
    for (let axis = 0; axis < rank; axis++)
      data[axis * count + at] = BigInt(Math.floor(i / strides[axis]!) % x.shape[axis]!);
    at++;
  }
  return new Tensor("int64", [rank, count], data);
}
