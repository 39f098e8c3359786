import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { matMulDims } from "../math/mat-mul.js";
import type { EvaluateContext, Operator } from "../operator.js";
import { levelProduct } from "../quantize/mat-mul-integer.js";

/** Levels with the scale (one, or one per column of B) and the zero point of each side. */
export interface QuantizedOperand {
  readonly levels: Tensor;
  readonly scale: Tensor;
  readonly zeroPoint: Tensor | null;
}

/** (A − zero) · (B − zero) · scale of A · scale of B + bias, in the scales' dtype. */
export function scaledProduct(
  a: QuantizedOperand,
  b: QuantizedOperand,
  bias: Tensor | null,
  context: EvaluateContext,
): Tensor {
  const sums = levelProduct(a.levels, a.zeroPoint, b.levels, b.zeroPoint, context);
  const columns = b.levels.shape.length > 1 ? sums.shape[sums.shape.length - 1]! : 1;
  const rows = a.scale.size === 1 ? 1 : sums.shape[sums.shape.length - 2]!;
  if (
    (b.scale.size !== 1 && b.scale.size !== columns) ||
    (bias !== null && bias.size !== columns) ||
    a.scale.size !== rows
  )
    throw new NonzeroError("shape", `scales [${a.scale.shape}] and [${b.scale.shape}] for a result [${sums.shape}]`);
  const [values, left, right, added] = [sums.numbers(), a.scale.numbers(), b.scale.numbers(), bias?.numbers()];
  const result = numbersFor(a.scale.dtype, values.length);
  for (let i = 0; i < result.length; i++) {
    const column = i % columns;
    const scale = left[Math.floor(i / columns) % rows]! * right[right.length === 1 ? 0 : column]!;
    result[i] = values[i]! * scale + (added === undefined ? 0 : added[column]!);
  }
  return Tensor.from(a.scale.dtype, sums.shape, result);
}

/**
 * com.microsoft MatMulIntegerToFloat: the product of 8-bit matrices as floats. Inputs A, B, a_scale, b_scale, a_zero_point,
 * b_zero_point, bias; scale and zero point of B may be one per column.
 */
export const matMulIntegerToFloat: Operator<null> = {
  name: "MatMulIntegerToFloat",
  domain: "com.microsoft",
  attributes: () => null,
  infer: (inputs) => {
    const shape = matMulDims(need(inputs, 0).type.shape, need(inputs, 1).type.shape);
    return [{ dtype: need(inputs, 2).type.dtype, shape }];
  },
  evaluate: (inputs, _, context) => [
    scaledProduct(
      { levels: need(inputs, 0), scale: need(inputs, 2), zeroPoint: inputs[4] ?? null },
      { levels: need(inputs, 1), scale: need(inputs, 3), zeroPoint: inputs[5] ?? null },
      inputs[6] ?? null,
      context,
    ),
  ],
};
