import { need } from "../infer.js";
import { matMulDims } from "../math/mat-mul.js";
import type { Operator } from "../operator.js";
import { dynamicQuantizeLinear } from "../quantize/dynamic-quantize-linear.js";
import { scaledProduct } from "./mat-mul-integer-to-float.js";

/**
 * com.microsoft DynamicQuantizeMatMul: A (float32), quantized to uint8 over its own range, times B (8-bit levels), as floats.
 * Inputs A, B, b_scale, b_zero_point, bias; b_scale and b_zero_point may be one per column.
 */
export const dynamicQuantizeMatMul: Operator<null> = {
  name: "DynamicQuantizeMatMul",
  domain: "com.microsoft",
  attributes: () => null,
  infer: (inputs) => {
    const a = need(inputs, 0).type;
    return [{ dtype: a.dtype, shape: matMulDims(a.shape, need(inputs, 1).type.shape) }];
  },
  evaluate: (inputs, _, context) => {
    const [levels, scale, zeroPoint] = dynamicQuantizeLinear.evaluate([need(inputs, 0)], null, context);
    return [
      scaledProduct(
        { levels: levels!, scale: scale!, zeroPoint: zeroPoint! },
        { levels: need(inputs, 1), scale: need(inputs, 2), zeroPoint: inputs[3] ?? null },
        inputs[4] ?? null,
        context,
      ),
    ];
  },
};
