import { NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { matMulDims } from "../math/mat-mul.js";
import type { Operator } from "../operator.js";
import { dynamicQuantizeLinear } from "../quantize/dynamic-quantize-linear.js";
import { levelProduct } from "../quantize/mat-mul-integer.js";
import { type Activation, epilogueOf, type ResidualPosition } from "./activation.js";
import { broadcastTo, finish } from "./linear.js";

export interface DynamicQuantizedLinearAttributes {
  readonly activation: Activation;
  readonly residual: ResidualPosition;
}

/**
 * ai.nonzero DynamicQuantizedLinear: x is quantized to uint8 over its own range (ONNX DynamicQuantizeLinear), multiplied by 8-bit weights
 * in integers, and scaled back: y = act(scale(x) · w_scale · Σ (q(x) − zero(x)) · (W − w_zero_point) + bias) + residual, or with
 * `residual_position` "before" the residual inside `act`.
 *
 * Inputs: x [..., K] float32; W [K, N] int8 or uint8; bias [N], optional; residual, optional, broadcastable to y; w_scale, one or [N];
 * w_zero_point as w_scale, optional. Output: y [..., N] float32. What DynamicQuantizeLinear → MatMulInteger → Cast → Mul → Add (onnxruntime's
 * `quantize_dynamic`) becomes; PyTorch's `torch.ao.nn.quantized.dynamic.Linear` with an epilogue.
 */
export const dynamicQuantizedLinear: Operator<DynamicQuantizedLinearAttributes> = {
  name: "DynamicQuantizedLinear",
  domain: "ai.nonzero",
  attributes: epilogueOf,
  infer: (inputs) => {
    const x = need(inputs, 0).type;
    return [{ dtype: x.dtype, shape: matMulDims(x.shape, need(inputs, 1).type.shape) }];
  },
  evaluate(inputs, { activation, residual: position }, context) {
    const [x, weight, wScale] = [need(inputs, 0), need(inputs, 1), need(inputs, 4)];
    const [bias, residual, wZeroPoint] = [inputs[2], inputs[3], inputs[5]];
    const [levels, scale, zeroPoint] = dynamicQuantizeLinear.evaluate([x], null, context);
    const sums = levelProduct(levels!, zeroPoint!, weight, wZeroPoint ?? null, context);
    const outputs = weight.shape[1]!;
    if ((wScale.size !== 1 && wScale.size !== outputs) || (bias && bias.size !== outputs)) {
      throw new NonzeroError("shape", `w_scale [${wScale.shape}] and bias [${bias?.shape}] for ${outputs} outputs`);
    }
    const added = residual ? broadcastTo(residual, sums.shape) : null;
    const [factor, scales, biases] = [scale!.item(), wScale.numbers(), bias?.numbers()];
    const y = Float64Array.from(sums.numbers(), (sum, i) => {
      const n = i % outputs;
      const value = sum * Math.fround(factor * scales[scales.length === 1 ? 0 : n]!) + (biases?.[n] ?? 0);
      return finish(value, added?.[i], activation, position);
    });
    return [Tensor.from("float32", sums.shape, y)];
  },
};
