import type { Node } from "../../../graph/index.js";
import { attributesFor, operatorOf, operators } from "../../../ops/index.js";
import type { AveragePoolAttributes } from "../../../ops/nn/average-pool.js";
import type { PoolAttributes } from "../../../ops/nn/pool.js";
import { resolveWindow } from "../../../ops/nn/window.js";
import { sizeOf } from "../../../tensor/index.js";
import { lastAxes, type Pair, type Triple, type WindowsSpec } from "../conv/conv.js";
import type { Cost, NodeContext } from "../node.js";

export type Reduction = "max" | "average";

/** Pooling of windows over each plane of x, over `Axes` spatial axes, float32. `channels` are all planes, N · C. */
export interface PoolSpec<Axes extends readonly number[] = Pair> extends WindowsSpec<Axes> {
  readonly reduction: Reduction;
  /** Padding after the last of each axis that counts as elements, for an average with count_include_pad; likewise before. */
  readonly counted: { readonly before: Axes; readonly after: Axes };
}

/** The pooling that a MaxPool or AveragePool stands for, or null: three spatial axes, an output of indices, … */
export const poolSpec = (node: Node, at: NodeContext): PoolSpec | null => poolOver<Pair>(2, node, at);

/** The same for nodes of up to three spatial axes. */
export const volumePoolSpec = (node: Node, at: NodeContext): PoolSpec<Triple> | null => poolOver<Triple>(3, node, at);

function poolOver<Axes extends readonly number[]>(count: number, node: Node, at: NodeContext): PoolSpec<Axes> | null {
  const average = node.op === "AveragePool";
  if (node.domain !== "" || !(average || node.op === "MaxPool") || node.outputs[1]) return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  const rank = shape.length - 2;
  if (
    dtype !== "float32" ||
    rank < 1 ||
    rank > count ||
    at.type(node.outputs[0]!).shape.includes(0) ||
    shape.includes(0)
  ) {
    return null;
  }
  const attributes = attributesFor(node, operatorOf(node, operators)) as PoolAttributes;
  const window = resolveWindow(attributes, shape.slice(2), attributes.kernelShape);
  const axes = (values: readonly number[], missing: number): Axes => lastAxes(values, count, missing);
  const include = average && (attributes as AveragePoolAttributes).countIncludePad;
  return {
    channels: shape[0]! * shape[1]!,
    input: axes(window.input, 1),
    output: axes(window.output, 1),
    kernel: axes(window.kernel, 1),
    strides: axes(window.strides, 1),
    dilations: axes(window.dilations, 1),
    pads: axes(window.padsBegin, 0),
    reduction: average ? "average" : "max",
    counted: {
      before: axes(include ? window.padsBegin : [], 0),
      after: axes(include ? window.padsEnd : [], 0),
    },
  };
}

export const poolCost = ({ channels, input, output, kernel }: PoolSpec<readonly number[]>): Cost => ({
  multiplyAdds: channels * sizeOf(output) * sizeOf(kernel),
  bytes: 4 * channels * (sizeOf(input) + sizeOf(output)),
});
