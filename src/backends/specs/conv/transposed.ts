import type { Node } from "../../../graph/index.js";
import { SparseTensor } from "../../../layouts/index.js";
import { attributesFor, operatorOf, operators } from "../../../ops/index.js";
import { type ConvTransposeAttributes, transposedWindow } from "../../../ops/nn/conv-transpose.js";
import { sizeOf } from "../../../tensor/index.js";
import type { Cost, NodeContext } from "../node.js";
import { lastAxes, type Pair, type Triple } from "./conv.js";

/** A transposed convolution over `Axes` spatial axes; where a node has fewer, those missing have length 1. float32, NCHW. */
export interface TransposedConvSpec<Axes extends readonly number[] = Pair> {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly group: number;
  readonly input: Axes;
  readonly output: Axes;
  readonly kernel: Axes;
  readonly strides: Axes;
  readonly dilations: Axes;
  /** What is cut off before the output's first of each axis. */
  readonly pads: Axes;
  readonly bias: boolean;
}

/** The transposed convolution that a ConvTranspose stands for, or null: its weight is sparse or no constant, it has three spatial axes, … */
export const transposedConvSpec = (node: Node, at: NodeContext): TransposedConvSpec | null =>
  transposedConvOver<Pair>(2, node, at);

/** The same for nodes of up to three spatial axes. */
export const transposedVolumeConvSpec = (node: Node, at: NodeContext): TransposedConvSpec<Triple> | null =>
  transposedConvOver<Triple>(3, node, at);

function transposedConvOver<Axes extends readonly number[]>(
  count: number,
  node: Node,
  at: NodeContext,
): TransposedConvSpec<Axes> | null {
  const [xValue, wValue, bias] = node.inputs;
  if (node.op !== "ConvTranspose" || node.domain !== "" || !xValue || !wValue) return null;
  const weight = at.constant(wValue);
  const { dtype, shape } = at.type(xValue);
  const y = at.type(node.outputs[0]!);
  const rank = shape.length - 2;
  if (weight === undefined || weight instanceof SparseTensor || weight.dtype !== "float32") return null;
  if (dtype !== "float32" || rank < 1 || rank > count || (bias && at.type(bias).dtype !== "float32")) return null;
  if ([...shape, ...weight.shape, ...y.shape].includes(0)) return null;
  const attributes = attributesFor(node, operatorOf(node, operators)) as ConvTransposeAttributes;
  const window = transposedWindow(attributes, shape.slice(2), weight.shape.slice(2));
  const axes = (values: readonly number[], missing: number): Axes => lastAxes(values, count, missing);
  return {
    batch: shape[0]!,
    channels: shape[1]!,
    outputs: weight.shape[1]! * attributes.group,
    group: attributes.group,
    input: axes(window.output, 1),
    output: axes(window.input, 1),
    kernel: axes(window.kernel, 1),
    strides: axes(window.strides, 1),
    dilations: axes(window.dilations, 1),
    pads: axes(window.padsBegin, 0),
    bias: Boolean(bias),
  };
}

export function transposedConvCost(spec: TransposedConvSpec<readonly number[]>): Cost {
  const { batch, channels, outputs, group, kernel, input, output } = spec;
  const weights = (channels * outputs * sizeOf(kernel)) / group;
  return {
    multiplyAdds: batch * weights * sizeOf(input),
    bytes: 4 * (batch * (channels * sizeOf(input) + outputs * sizeOf(output)) + weights),
  };
}
