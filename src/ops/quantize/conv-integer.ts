import { NonzeroError, type Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { type ConvAttributes, convAttributes, evaluateConv, inferConv } from "../nn/conv.js";
import type { Operator } from "../operator.js";
import { centered } from "./requantize.js";

/** ONNX ConvInteger: Conv of 8-bit levels less their zero points (w's a scalar or one per output channel), accumulated in int32; the padding stands for the zero point. */
export const convInteger: Operator<ConvAttributes> = {
  name: "ConvInteger",
  domain: "",
  attributes: convAttributes,
  infer: (inputs, a) => [
    { dtype: "int32", shape: inferConv(need(inputs, 0).type.shape, need(inputs, 1).type.shape, a) },
  ],
  evaluate: (inputs, a) => [
    levelConv(need(inputs, 0), inputs[2] ?? null, need(inputs, 1), inputs[3] ?? null, null, a).to("int32"),
  ],
};

/** The convolution of levels, zero points taken off, exact in float64. */
export function levelConv(
  x: Tensor,
  xZeroPoint: Tensor | null,
  w: Tensor,
  wZeroPoint: Tensor | null,
  bias: Tensor | null,
  a: ConvAttributes,
): Tensor {
  const ones = new Array<number>(w.shape.length - 1).fill(1);
  if (wZeroPoint !== null && wZeroPoint.size !== 1 && wZeroPoint.size !== w.shape[0])
    throw new NonzeroError("shape", `zero points [${wZeroPoint.shape}] for ${w.shape[0]} output channels`);
  const channelZeros = wZeroPoint === null ? null : wZeroPoint.reshape([wZeroPoint.size, ...ones]);
  return evaluateConv(centered(x, xZeroPoint), centered(w, channelZeros), bias?.to("float64") ?? null, a);
}
