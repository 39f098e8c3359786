import { Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { globalDims, globalPlan } from "./pool.js";

/** ONNX GlobalMaxPool: the largest element of each plane of x [N, C, spatial…], to [N, C, 1…]. */
export const globalMaxPool: Operator<null> = {
  name: "GlobalMaxPool",
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
      let best = Number.NEGATIVE_INFINITY;
      for (let i = plane * size; i < (plane + 1) * size; i++) best = Math.max(best, values[i]!);
      result[plane] = best;
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
