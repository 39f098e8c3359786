import type { Node } from "../../../graph/index.js";
import { attributesFor, operatorOf, operators } from "../../../ops/index.js";
import type { AveragePoolAttributes } from "../../../ops/nn/average-pool.js";
import type { PoolAttributes } from "../../../ops/nn/pool.js";
import { resolveWindow } from "../../../ops/nn/window.js";
import type { WindowsSpec } from "../conv/conv.js";
import type { Cost, NodeContext } from "../node.js";

export type Reduction = "max" | "average";

/** Pooling of windows over each plane of x, one or two spatial axes, float32. `channels` are all planes, N · C. */
export interface PoolSpec extends WindowsSpec {
  readonly reduction: Reduction;
  /** Padding after the last row and column that counts as elements, for an average with count_include_pad; likewise before. */
  readonly counted: { readonly before: readonly [number, number]; readonly after: readonly [number, number] };
}

/** The pooling that a MaxPool or AveragePool stands for, or null: three spatial axes, an output of indices, … */
export function poolSpec(node: Node, at: NodeContext): PoolSpec | null {
  const average = node.op === "AveragePool";
  if (node.domain !== "" || !(average || node.op === "MaxPool") || node.outputs[1]) return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  const rank = shape.length - 2;
  if (dtype !== "float32" || rank < 1 || rank > 2 || at.type(node.outputs[0]!).shape.includes(0) || shape.includes(0)) {
    return null;
  }
  const attributes = attributesFor(node, operatorOf(node, operators)) as PoolAttributes;
  const window = resolveWindow(attributes, shape.slice(2), attributes.kernelShape);
  const pair = (values: readonly number[], missing: number): readonly [number, number] =>
    values.length === 1 ? [missing, values[0]!] : (values as readonly [number, number]);
  const include = average && (attributes as AveragePoolAttributes).countIncludePad;
  return {
    channels: shape[0]! * shape[1]!,
    input: pair(window.input, 1),
    output: pair(window.output, 1),
    kernel: pair(window.kernel, 1),
    strides: pair(window.strides, 1),
    dilations: pair(window.dilations, 1),
    pads: pair(window.padsBegin, 0),
    reduction: average ? "average" : "max",
    counted: {
      before: include ? pair(window.padsBegin, 0) : [0, 0],
      after: include ? pair(window.padsEnd, 0) : [0, 0],
    },
  };
}

export const poolCost = ({ channels, input, output, kernel }: PoolSpec): Cost => ({
  multiplyAdds: channels * output[0] * output[1] * kernel[0] * kernel[1],
  bytes: 4 * channels * (input[0] * input[1] + output[0] * output[1]),
});
