import { Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { globalDims, globalPlan } from "./pool.js";

/** ONNX GlobalLpPool: (Σ |x|^p)^(1/p) of each plane of x [N, C, spatial…], to [N, C, 1…]. */
export const globalLpPool: Operator<{ readonly p: number }> = {
  name: "GlobalLpPool",
  domain: "",
  attributes: (node) => ({ p: node.int("p", 2) }),
  infer: (inputs) => {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: globalDims(shape) }];
  },
  evaluate: (inputs, { p }) => {
    const x = need(inputs, 0);
    const { planes, size, shape } = globalPlan(x);
    const values = x.numbers();
    const result = numbersFor(x.dtype, planes);
    for (let plane = 0; plane < planes; plane++) {
      let sum = 0;
      for (let i = plane * size; i < (plane + 1) * size; i++) sum += Math.abs(values[i]!) ** p;
      result[plane] = sum ** (1 / p);
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
