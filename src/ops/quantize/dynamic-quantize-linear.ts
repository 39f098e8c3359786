import { Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { roundHalfEven } from "../math/round.js";
import type { Operator } from "../operator.js";

/**
 * ONNX DynamicQuantizeLinear: a float32 tensor to uint8 over its own range, which is made to hold 0. Outputs the levels,
 * the scale (max − min) / 255 and the zero point; a tensor of zeros has scale 1.
 */
export const dynamicQuantizeLinear: Operator<null> = {
  name: "DynamicQuantizeLinear",
  domain: "",
  attributes: () => null,
  infer: (inputs) => [
    { dtype: "uint8", shape: need(inputs, 0).type.shape },
    { dtype: "float32", shape: [] },
    { dtype: "uint8", shape: [] },
  ],
  evaluate(inputs) {
    const x = need(inputs, 0);
    const values = x.numbers();
    let [min, max] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      min = Math.min(min, values[i]!);
      max = Math.max(max, values[i]!);
    }
    const scale = min === max ? 1 : Math.fround(Math.fround(max - min) / 255);
    const level = (v: number): number => Math.min(255, Math.max(0, v));
    const zeroPoint = level(roundHalfEven(Math.fround(-min / scale)));
    const levels = new Uint8Array(values.length);
    for (let i = 0; i < values.length; i++)
      levels[i] = level(roundHalfEven(Math.fround(values[i]! / scale)) + zeroPoint);
    return [new Tensor("uint8", x.shape, levels), Tensor.scalar("float32", scale), Tensor.scalar("uint8", zeroPoint)];
  },
};
