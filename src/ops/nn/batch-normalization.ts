import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

export interface BatchNormalizationAttributes {
  readonly epsilon: number;
  readonly momentum: number;
  readonly training: boolean;
  /** False (opset 7 only): statistics for every feature C·D1·…·Dn instead of every channel. */
  readonly spatial: boolean;
}

/**
 * ONNX BatchNormalization of x [N, C, …] (or [N], with C = 1): (x − mean) / √(var + epsilon) · scale + bias per channel.
 * In training (training_mode, or before opset 14 more than one output) mean and variance (population) are x's own, and the
 * running ones follow: running · momentum + current · (1 − momentum). Before opset 14 the current ones are outputs 3 and 4.
 */
export const batchNormalization: Operator<BatchNormalizationAttributes> = {
  name: "BatchNormalization",
  domain: "",
  attributes: (node) => ({
    epsilon: node.float("epsilon", 1e-5),
    momentum: node.float("momentum", 0.9),
    training: node.version >= 14 ? node.flag("training_mode") : node.node.outputs.slice(1).some((v) => v !== null),
    spatial: node.version >= 9 || node.flag("spatial", true),
  }),
  infer: (inputs, a) => {
    const x = need(inputs, 0).type;
    if (!a.training) return [x];
    const [mean, variance] = [need(inputs, 3).type, need(inputs, 4).type];
    return [x, mean, variance, mean, variance];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const channels = x.shape.length < 2 ? 1 : a.spatial ? x.shape[1]! : sizeOf(x.shape.slice(1));
    const size = x.shape.length < 2 || !a.spatial ? 1 : sizeOf(x.shape.slice(2));
    const batch = x.shape[0] ?? 1;
    for (let i = 1; i < 5; i++) {
      if (need(inputs, i).size !== channels)
        throw new NonzeroError("shape", `input ${i} has shape [${need(inputs, i).shape}] for ${channels} channels`);
    }
    const values = x.numbers();
    const scale = need(inputs, 1).numbers();
    const bias = need(inputs, 2).numbers();
    const mean = Float64Array.from(need(inputs, 3).numbers());
    const variance = Float64Array.from(need(inputs, 4).numbers());
    const runningMean = mean.slice();
    const runningVariance = variance.slice();
    if (a.training) {
      const count = batch * size;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let n = 0; n < batch; n++) {
          const at = (n * channels + c) * size;
          for (let i = at; i < at + size; i++) sum += values[i]!;
        }
        const center = sum / count;
        let squares = 0;
        for (let n = 0; n < batch; n++) {
          const at = (n * channels + c) * size;
          for (let i = at; i < at + size; i++) squares += (values[i]! - center) ** 2;
        }
        mean[c] = center;
        variance[c] = squares / count;
        runningMean[c] = runningMean[c]! * a.momentum + mean[c]! * (1 - a.momentum);
        runningVariance[c] = runningVariance[c]! * a.momentum + variance[c]! * (1 - a.momentum);
      }
    }
    const result = numbersFor(x.dtype, values.length);
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        const factor = scale[c]! / Math.sqrt(variance[c]! + a.epsilon);
        const at = (n * channels + c) * size;
        for (let i = at; i < at + size; i++) result[i] = (values[i]! - mean[c]!) * factor + bias[c]!;
      }
    }
    const y = Tensor.from(x.dtype, x.shape, result);
    if (!a.training) return [y];
    const statistic = (like: Tensor, numbers: Float64Array) => Tensor.from(like.dtype, like.shape, numbers);
    const [likeMean, likeVariance] = [need(inputs, 3), need(inputs, 4)];
    return [
      y,
      statistic(likeMean, runningMean),
      statistic(likeVariance, runningVariance),
      statistic(likeMean, mean),
      statistic(likeVariance, variance),
    ];
  },
};
