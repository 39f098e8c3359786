import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import {
  type LayerNormalizationAttributes,
  layerNormalizationAttributes,
  normalizeTensor,
} from "./layer-normalization.js";

/** ONNX RMSNormalization over the axes from `axis` on: x / √(mean(x²) + epsilon) · scale; the result has scale's dtype. */
export const rmsNormalization: Operator<LayerNormalizationAttributes> = {
  name: "RMSNormalization",
  domain: "",
  attributes: layerNormalizationAttributes,
  infer: (inputs) => [{ dtype: need(inputs, 1).type.dtype, shape: need(inputs, 0).type.shape }],
  evaluate: (inputs, a) => {
    const scale = need(inputs, 1);
    return [normalizeTensor(need(inputs, 0), scale, null, a, false, scale.dtype).y];
  },
};
