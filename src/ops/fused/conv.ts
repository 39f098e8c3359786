import { Tensor } from "../../tensor/index.js";
import { type ConvAttributes, conv as onnxConv } from "../nn/conv.js";
import type { Operator } from "../operator.js";
import { type Activation, epilogueOf, type ResidualPosition } from "./activation.js";
import { broadcastTo, finish } from "./linear.js";

export interface FusedConvAttributes {
  readonly conv: ConvAttributes;
  readonly activation: Activation;
  readonly residual: ResidualPosition;
}

/**
 * ai.nonzero Conv: ONNX's Conv with a fourth input, residual (broadcastable to y), and the epilogue of ai.nonzero Linear:
 * y = act(conv(x, W) + bias) + residual, or act(conv(x, W) + bias + residual) with `residual_position` "before".
 */
export const conv: Operator<FusedConvAttributes> = {
  name: "Conv",
  domain: "ai.nonzero",
  attributes: (node) => ({ conv: onnxConv.attributes(node), ...epilogueOf(node) }),
  infer: ([x, w, bias], a, context) => onnxConv.infer([x!, w!, bias ?? null], a.conv, context),
  evaluate([x, w, bias, residual], { conv, activation, residual: position }, context) {
    const [y] = onnxConv.evaluate([x!, w!, bias ?? null], conv, context) as [Tensor];
    const added = residual ? broadcastTo(residual, y.shape) : null;
    const sums = y.numbers();
    const out = Float64Array.from(sums, (sum, i) => finish(sum, added?.[i], activation, position));
    return [Tensor.from(y.dtype, y.shape, out)];
  },
};
