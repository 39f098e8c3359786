import { Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { normalizeGroups } from "./group-normalization.js";

/** ONNX InstanceNormalization: each channel of each instance of x [N, C, spatial…] to mean 0 and variance 1, then scale [C] and bias [C]. */
export const instanceNormalization: Operator<{ readonly epsilon: number }> = {
  name: "InstanceNormalization",
  domain: "",
  attributes: (node) => ({ epsilon: node.float("epsilon", 1e-5) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const groups = x.shape[1] ?? 1;
    return [Tensor.from(x.dtype, x.shape, normalizeGroups(x, groups, need(inputs, 1), need(inputs, 2), a.epsilon))];
  },
};
