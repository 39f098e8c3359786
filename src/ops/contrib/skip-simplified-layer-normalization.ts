import { need } from "../infer.js";
import { type LayerNormalizationAttributes, normalizeTensor } from "../nn/layer-normalization.js";
import type { Operator } from "../operator.js";
import { inferSkip, residualSum, skipAttributes } from "./skip-layer-normalization.js";

/**
 * com.microsoft SkipSimplifiedLayerNormalization: RMS normalization of input + skip + bias over the last axis, times gamma.
 * Inputs input, skip, gamma, bias; outputs the result, mean (zeros: nothing is centered), 1 / √(mean square + epsilon), the sum.
 */
export const skipSimplifiedLayerNormalization: Operator<LayerNormalizationAttributes> = {
  name: "SkipSimplifiedLayerNormalization",
  domain: "com.microsoft",
  attributes: skipAttributes,
  infer: inferSkip,
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const sum = residualSum(x, need(inputs, 1), inputs[3]);
    const { y, mean, inverse } = normalizeTensor(sum, need(inputs, 2), null, a, false, x.dtype);
    return [y, mean, inverse, sum.to(x.dtype)];
  },
};
