import type { ValueType } from "../../graph/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { broadcastValues } from "../elementwise.js";
import { need } from "../infer.js";
import { type LayerNormalizationAttributes, normalizeTensor, statisticsType } from "../nn/layer-normalization.js";
import type { Operand, Operator } from "../operator.js";

/** What SkipLayerNormalization and SkipSimplifiedLayerNormalization share: a residual sum that is then normalized. */

export const skipAttributes = (node: Attributes): LayerNormalizationAttributes => ({
  axis: -1,
  epsilon: node.float("epsilon", 1e-12),
  stashType: "float32",
});

export function inferSkip(inputs: readonly (Operand | null)[], a: LayerNormalizationAttributes): readonly ValueType[] {
  const x = need(inputs, 0).type;
  const statistics = statisticsType(x.shape, a);
  return [x, statistics, statistics, x];
}

/** input + skip + bias, in double; skip may lack the batch axis or have it 1, bias is [hidden]. */
export function residualSum(x: Tensor, skip: Tensor, bias: Tensor | null | undefined): Tensor {
  const hidden = x.shape[x.shape.length - 1]!;
  const offset = x.shape.length - skip.shape.length;
  const fits =
    offset >= 0 && skip.shape.every((dim, i) => dim === x.shape[offset + i] || (i + offset === 0 && dim === 1));
  if (!fits || (bias != null && bias.size !== hidden))
    throw new NonzeroError("shape", `input [${x.shape}], skip [${skip.shape}], bias [${bias?.shape ?? ""}]`);
  const values = x.numbers();
  const skipped = broadcastValues(skip.numbers(), skip.shape, x.shape);
  const added = bias?.numbers();
  const sums = new Float64Array(values.length);
  for (let i = 0; i < sums.length; i++)
    sums[i] = values[i]! + skipped[i]! + (added === undefined ? 0 : added[i % hidden]!);
  return new Tensor("float64", x.shape, sums);
}

/**
 * com.microsoft SkipLayerNormalization: layer normalization of input + skip + bias over the last axis, times gamma, plus beta
 * (optional). Inputs input, skip, gamma, beta, bias; outputs the result, mean, 1 / √(variance + epsilon) and the sum.
 */
export const skipLayerNormalization: Operator<LayerNormalizationAttributes> = {
  name: "SkipLayerNormalization",
  domain: "com.microsoft",
  attributes: skipAttributes,
  infer: inferSkip,
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const sum = residualSum(x, need(inputs, 1), inputs[4]);
    const { y, mean, inverse } = normalizeTensor(sum, need(inputs, 2), inputs[3], a, true, x.dtype);
    return [y, mean, inverse, sum.to(x.dtype)];
  },
};
