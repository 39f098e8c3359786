import { need } from "../infer.js";
import {
  type LayerNormalizationAttributes,
  layerNormalizationAttributes,
  normalizeTensor,
  statisticsType,
} from "../nn/layer-normalization.js";
import type { Operator } from "../operator.js";

/**
 * SimplifiedLayerNormalization (onnxruntime's RMSNormalization): x / √(mean(x²) + epsilon) · scale over the axes from `axis`
 * on; the second output is 1 / √(mean(x²) + epsilon). Files have it in ONNX's domain and in com.microsoft.
 */
const simplified = (domain: string): Operator<LayerNormalizationAttributes> => ({
  name: "SimplifiedLayerNormalization",
  domain,
  attributes: layerNormalizationAttributes,
  infer: (inputs, a) => {
    const x = need(inputs, 0).type;
    return [{ dtype: need(inputs, 1).type.dtype, shape: x.shape }, statisticsType(x.shape, a)];
  },
  evaluate: (inputs, a) => {
    const scale = need(inputs, 1);
    const { y, inverse } = normalizeTensor(need(inputs, 0), scale, null, a, false, scale.dtype);
    return [y, inverse];
  },
});

export const simplifiedLayerNormalization = simplified("com.microsoft");
export const simplifiedLayerNormalizationInOnnx = simplified("");
