import { need } from "../infer.js";
import { type ConvAttributes, convAttributes, inferConv } from "../nn/conv.js";
import type { Operator } from "../operator.js";
import { levelConv } from "./conv-integer.js";
import { perChannel, requantize } from "./requantize.js";

/**
 * ONNX QLinearConv: Conv of 8-bit levels, as levels. Inputs x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale,
 * y_zero_point and an int32 bias in units of x_scale · w_scale; w_scale and w_zero_point are scalars or per output channel.
 */
export const qLinearConv: Operator<ConvAttributes> = {
  name: "QLinearConv",
  domain: "",
  attributes: convAttributes,
  infer: (inputs, a) => [
    {
      dtype: need(inputs, 7).type.dtype,
      shape: inferConv(need(inputs, 0).type.shape, need(inputs, 3).type.shape, a),
    },
  ],
  evaluate(inputs, a) {
    const [x, xScale, xZeroPoint] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const [w, wScale, wZeroPoint] = [need(inputs, 3), need(inputs, 4), need(inputs, 5)];
    const [yScale, yZeroPoint] = [need(inputs, 6), need(inputs, 7)];
    const sums = levelConv(x, xZeroPoint, w, wZeroPoint, inputs[8] ?? null, a);
    const levels = requantize(sums, xScale, perChannel(wScale, sums.shape.length), yScale, yZeroPoint);
    return [levels.reshape(sums.shape)];
  },
};
