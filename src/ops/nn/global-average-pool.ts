import { Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { globalDims, globalPlan } from "./pool.js";

/** ONNX GlobalAveragePool: the mean of each plane of x [N, C, spatial…], to [N, C, 1…]. */
export const globalAveragePool: Operator<null> = {
  name: "GlobalAveragePool",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: globalDims(shape) }];
  },
  evaluate: (inputs) => {
    const x = need(inputs, 0);
    const { planes, size, shape } = globalPlan(x);
    const values = x.numbers();
    const result = numbersFor(x.dtype, planes);
    for (let plane = 0; plane < planes; plane++) {
      let sum = 0;
      for (let i = plane * size; i < (plane + 1) * size; i++) sum += values[i]!;
      result[plane] = sum / size;
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
