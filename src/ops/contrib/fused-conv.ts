import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { type ConvAttributes, convAttributes, convType, evaluateConv } from "../nn/conv.js";
import type { Operator } from "../operator.js";
import { fusedActivation } from "./activate.js";

export interface FusedConvAttributes extends ConvAttributes {
  readonly activate: (x: number) => number;
}

/** com.microsoft FusedConv: activation(Conv(X, W, B) + Z); Z, the fourth input, is optional and has the result's shape. */
export const fusedConv: Operator<FusedConvAttributes> = {
  name: "FusedConv",
  domain: "com.microsoft",
  attributes: (node) => ({
    ...convAttributes(node),
    activate: fusedActivation(node, node.floats("activation_params", [])),
  }),
  infer: (inputs, a) => [convType(need(inputs, 0), need(inputs, 1), a)],
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    // Sums stay doubles until the activation has seen them.
    const widen = (tensor: Tensor | null | undefined) => (tensor == null ? null : tensor.to("float64"));
    const sums = evaluateConv(widen(x)!, widen(need(inputs, 1))!, widen(inputs[2]), a);
    const values = sums.numbers();
    const added = inputs[3]?.numbers();
    if (added !== undefined && added.length !== values.length)
      throw new NonzeroError("shape", `Z of shape [${inputs[3]!.shape}] for a result of shape [${sums.shape}]`);
    const result = numbersFor(x.dtype, values.length);
    for (let i = 0; i < result.length; i++) result[i] = a.activate(values[i]! + (added === undefined ? 0 : added[i]!));
    return [Tensor.from(x.dtype, sums.shape, result)];
  },
};
