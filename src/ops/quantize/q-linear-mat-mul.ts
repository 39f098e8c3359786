import { need } from "../infer.js";
import { matMulDims } from "../math/mat-mul.js";
import type { Operator } from "../operator.js";
import { levelProduct } from "./mat-mul-integer.js";
import { perRow, requantize } from "./requantize.js";

/**
 * ONNX QLinearMatMul: the product of two matrices of 8-bit levels, as levels. Inputs a, a_scale, a_zero_point, b, b_scale,
 * b_zero_point, y_scale, y_zero_point; scales are scalars, or per row of a and y and per column of b.
 */
export const qLinearMatMul: Operator<null> = {
  name: "QLinearMatMul",
  domain: "",
  attributes: () => null,
  infer: (inputs) => [
    {
      dtype: need(inputs, 7).type.dtype,
      shape: matMulDims(need(inputs, 0).type.shape, need(inputs, 3).type.shape),
    },
  ],
  evaluate(inputs, _, context) {
    const [a, aScale, aZeroPoint] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const [b, bScale, bZeroPoint] = [need(inputs, 3), need(inputs, 4), need(inputs, 5)];
    const [yScale, yZeroPoint] = [need(inputs, 6), need(inputs, 7)];
    const sums = levelProduct(a, aZeroPoint, b, bZeroPoint, context);
    return [requantize(sums, perRow(aScale), bScale, perRow(yScale), perRow(yZeroPoint)).reshape(sums.shape)];
  },
};
