import type { Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { matMul, matMulDims } from "../math/mat-mul.js";
import type { EvaluateContext, Operator } from "../operator.js";
import { centered, perRow } from "./requantize.js";

/** ONNX MatMulInteger: (A − a_zero_point) · (B − b_zero_point) of 8-bit levels, accumulated in int32. Zero points are scalars, or per row of A and per column of B. */
export const matMulInteger: Operator<null> = {
  name: "MatMulInteger",
  domain: "",
  attributes: () => null,
  infer: (inputs) => [{ dtype: "int32", shape: matMulDims(need(inputs, 0).type.shape, need(inputs, 1).type.shape) }],
  evaluate: (inputs, _, context) => [
    levelProduct(need(inputs, 0), inputs[2] ?? null, need(inputs, 1), inputs[3] ?? null, context).to("int32"),
  ],
};

/** The product of matrices of levels, zero points taken off, exact in float64. */
export function levelProduct(
  a: Tensor,
  aZeroPoint: Tensor | null,
  b: Tensor,
  bZeroPoint: Tensor | null,
  context: EvaluateContext,
): Tensor {
  const left = centered(a, aZeroPoint === null ? null : perRow(aZeroPoint)).reshape(a.shape);
  const right = centered(b, bZeroPoint).reshape(b.shape);
  return matMul.evaluate([left, right], null, context)[0]!;
}
