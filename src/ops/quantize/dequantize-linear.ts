import { type DataType, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import {
  checkGranularity,
  type GranularityAttributes,
  granularityAttributes,
  granularityOf,
  zeroPointsOf,
} from "./granularity.js";

interface DequantizeLinearAttributes extends GranularityAttributes {
  /** From opset 23; null takes the scale's. */
  readonly dtype: DataType | null;
}

/** ONNX DequantizeLinear: (x − zero point) · scale in the scale's dtype; per tensor, per axis or (from opset 21) per block. */
export const dequantizeLinear: Operator<DequantizeLinearAttributes> = {
  name: "DequantizeLinear",
  domain: "",
  attributes(node) {
    const code = node.version >= 23 ? node.int("output_dtype", 0) : 0;
    return { ...granularityAttributes(node), dtype: code === 0 ? null : dtypeOfCode(code, "output_dtype") };
  },
  infer(inputs, a) {
    const { shape } = need(inputs, 0).type;
    const scale = need(inputs, 1).type;
    checkGranularity(shape, scale.shape, a);
    return [{ dtype: a.dtype ?? scale.dtype, shape }];
  },
  evaluate(inputs, a) {
    const [x, scale, zeroPoint] = [need(inputs, 0), need(inputs, 1), inputs[2] ?? null];
    const dtype = a.dtype ?? scale.dtype;
    const { outer, dim, inner, block, outerStride, stride, innerStride } = granularityOf(x.shape, scale.shape, a);
    const [values, scales] = [x.numbers(), scale.numbers()];
    const zeros = zeroPointsOf(zeroPoint, scale);
    const result = numbersFor(dtype, values.length);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < dim; i++) {
        const first = o * outerStride + Math.floor(i / block) * stride;
        for (let j = 0; j < inner; j++, at++) {
          const k = first + j * innerStride;
          result[at] = (values[at]! - zeros[k]!) * scales[k]!;
        }
      }
    }
    return [Tensor.from(dtype, x.shape, result)];
  },
};
