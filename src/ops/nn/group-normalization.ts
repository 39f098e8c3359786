import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";

/**
 * x [N, C, …] with each group of C/groups channels of each instance brought to mean 0 and variance 1, then scaled and
 * shifted: by channel where scale and bias are [C], by group where they are [groups].
 */
export function normalizeGroups(
  x: Tensor,
  groups: number,
  scale: Tensor,
  bias: Tensor,
  epsilon: number,
): Float32Array | Float64Array {
  const channels = x.shape[1] ?? 1;
  if (x.shape.length < 2 || channels % groups !== 0)
    throw new NonzeroError("shape", `${groups} groups do not divide x of shape [${x.shape}]`);
  if (scale.size !== bias.size || (scale.size !== channels && scale.size !== groups))
    throw new NonzeroError("shape", `scale [${scale.shape}] and bias [${bias.shape}] for ${channels} channels`);
  const plane = sizeOf(x.shape.slice(2));
  const size = (channels / groups) * plane;
  const values = x.numbers();
  const scales = scale.numbers();
  const biases = bias.numbers();
  const perChannel = channels / scale.size;
  const result = numbersFor(x.dtype, values.length);
  for (let at = 0; at < values.length; at += size) {
    let mean = 0;
    for (let i = at; i < at + size; i++) mean += values[i]!;
    mean /= size;
    let variance = 0;
    for (let i = at; i < at + size; i++) variance += (values[i]! - mean) ** 2;
    const factor = 1 / Math.sqrt(variance / size + epsilon);
    for (let i = at; i < at + size; i++) {
      const c = Math.floor((Math.floor(i / plane) % channels) / perChannel);
      result[i] = (values[i]! - mean) * factor * scales[c]! + biases[c]!;
    }
  }
  return result;
}

/**
 * ONNX GroupNormalization of x [N, C, spatial…] in num_groups groups of channels. Scale and bias are [num_groups] in
 * opset 18 and [C] from opset 21 on; either is told by its size.
 */
export const groupNormalization: Operator<{ readonly epsilon: number; readonly groups: number }> = {
  name: "GroupNormalization",
  domain: "",
  attributes: (node) => ({ epsilon: node.float("epsilon", 1e-5), groups: node.int("num_groups") }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    return [Tensor.from(x.dtype, x.shape, normalizeGroups(x, a.groups, need(inputs, 1), need(inputs, 2), a.epsilon))];
  },
};
