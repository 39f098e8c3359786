import { type DataType, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import { checkShape, unknownDim } from "../shape/dims.js";

export interface WindowAttributes {
  readonly dtype: DataType;
  readonly periodic: boolean;
}

/**
 * A window of `size` (input 0) samples, the sum over i of coefficients[i] · cos(2πi·n / N), with N = size when periodic and
 * size − 1 when symmetric; a symmetric window of one sample is 1.
 */
export function cosineWindow(name: string, coefficients: readonly number[]): Operator<WindowAttributes> {
  return {
    name,
    domain: "",
    shapeInputs: [0],
    attributes: (node) => ({
      dtype: dtypeOfCode(node.int("output_datatype", 1), "output_datatype"),
      periodic: node.flag("periodic", true),
    }),
    infer(inputs, { dtype }) {
      const size = need(inputs, 0).value?.item();
      return [{ dtype, shape: size === undefined ? [unknownDim()] : checkShape([size]) }];
    },
    evaluate(inputs, { dtype, periodic }) {
      const size = need(inputs, 0).item();
      checkShape([size]);
      const period = periodic ? size : size - 1;
      const values = new Float64Array(size).fill(period === 0 ? 1 : 0);
      if (period > 0) {
        for (let n = 0; n < size; n++)
          coefficients.forEach((c, i) => {
            values[n]! += c * Math.cos((2 * Math.PI * i * n) / period);
          });
      }
      return [Tensor.from(dtype, [size], values)];
    },
  };
}
