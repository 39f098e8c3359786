import { type DataType, NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { roundHalfEven } from "../math/round.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import {
  checkGranularity,
  type GranularityAttributes,
  granularityAttributes,
  granularityOf,
  zeroPointsOf,
} from "./granularity.js";
import { quantizedRange, rounderOf } from "./rounding.js";

interface QuantizeLinearAttributes extends GranularityAttributes {
  /** From opset 21; null takes the zero point's, or uint8. */
  readonly dtype: DataType | null;
  /** From opset 23: of the division; null takes the scale's. */
  readonly precision: DataType | null;
}

/**
 * ONNX QuantizeLinear: saturate(round(x / scale) + zero point), halves to even; per tensor, per axis or (from opset 21)
 * per block. The quotient is rounded to the scale's dtype first. To int8, uint8, int16, uint16, int4 and uint4.
 */
export const quantizeLinear: Operator<QuantizeLinearAttributes> = {
  name: "QuantizeLinear",
  domain: "",
  attributes(node) {
    const dtype = (name: string, since: number): DataType | null => {
      const code = node.version >= since ? node.int(name, 0) : 0;
      return code === 0 ? null : dtypeOfCode(code, name);
    };
    return { ...granularityAttributes(node), dtype: dtype("output_dtype", 21), precision: dtype("precision", 23) };
  },
  infer(inputs, a) {
    const { shape } = need(inputs, 0).type;
    checkGranularity(shape, need(inputs, 1).type.shape, a);
    const dtype = outputDtype(inputs[2]?.type.dtype, a.dtype);
    quantizedRange(dtype);
    return [{ dtype, shape }];
  },
  evaluate(inputs, a) {
    const [x, scale, zeroPoint] = [need(inputs, 0), need(inputs, 1), inputs[2] ?? null];
    const dtype = outputDtype(zeroPoint?.dtype, a.dtype);
    const [low, high] = quantizedRange(dtype);
    const { outer, dim, inner, block, outerStride, stride, innerStride } = granularityOf(x.shape, scale.shape, a);
    const [values, scales] = [x.numbers(), scale.numbers()];
    const zeros = zeroPointsOf(zeroPoint, scale);
    const round = rounderOf(a.precision ?? scale.dtype);
    const result = new Int32Array(values.length);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < dim; i++) {
        const first = o * outerStride + Math.floor(i / block) * stride;
        for (let j = 0; j < inner; j++, at++) {
          const k = first + j * innerStride;
          const level = roundHalfEven(round(values[at]! / scales[k]!)) + zeros[k]!;
          result[at] = Math.min(high, Math.max(low, level));
        }
      }
    }
    return [Tensor.from(dtype, x.shape, result)];
  },
};

function outputDtype(zeroPoint: DataType | undefined, asked: DataType | null): DataType {
  if (zeroPoint !== undefined && asked !== null && zeroPoint !== asked)
    throw new NonzeroError("shape", `the zero point is ${zeroPoint}, not ${asked}`, { field: "output_dtype" });
  return zeroPoint ?? asked ?? "uint8";
}
