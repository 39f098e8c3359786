import type { Node } from "../../../graph/index.js";
import { SparseTensor } from "../../../layouts/index.js";
import { attributesFor, operatorOf, operators } from "../../../ops/index.js";
import { type ConvTransposeAttributes, transposedWindow } from "../../../ops/nn/conv-transpose.js";
import type { Cost, NodeContext } from "../node.js";
import type { Pair } from "./conv.js";

/** A transposed convolution over two spatial axes; one axis is an image of height 1. float32, NCHW. */
export interface TransposedConvSpec {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly group: number;
  readonly input: Pair;
  readonly output: Pair;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** Rows and columns that are cut off before the output's first. */
  readonly pads: Pair;
  readonly bias: boolean;
}

/** The transposed convolution that a ConvTranspose stands for, or null: its weight is sparse or no constant, it has three spatial axes, … */
export function transposedConvSpec(node: Node, at: NodeContext): TransposedConvSpec | null {
  const [xValue, wValue, bias] = node.inputs;
  if (node.op !== "ConvTranspose" || node.domain !== "" || !xValue || !wValue) return null;
  const weight = at.constant(wValue);
  const { dtype, shape } = at.type(xValue);
  const y = at.type(node.outputs[0]!);
  const rank = shape.length - 2;
  if (weight === undefined || weight instanceof SparseTensor || weight.dtype !== "float32") return null;
  if (dtype !== "float32" || rank < 1 || rank > 2 || (bias && at.type(bias).dtype !== "float32")) return null;
  if ([...shape, ...weight.shape, ...y.shape].includes(0)) return null;
  const attributes = attributesFor(node, operatorOf(node, operators)) as ConvTransposeAttributes;
  const window = transposedWindow(attributes, shape.slice(2), weight.shape.slice(2));
  const pair = (values: readonly number[], missing: number): Pair =>
    values.length === 1 ? [missing, values[0]!] : (values as Pair);
  return {
    batch: shape[0]!,
    channels: shape[1]!,
    outputs: weight.shape[1]! * attributes.group,
    group: attributes.group,
    input: pair(window.output, 1),
    output: pair(window.input, 1),
    kernel: pair(window.kernel, 1),
    strides: pair(window.strides, 1),
    dilations: pair(window.dilations, 1),
    pads: pair(window.padsBegin, 0),
    bias: Boolean(bias),
  };
}

export function transposedConvCost(spec: TransposedConvSpec): Cost {
  const { batch, channels, outputs, group, kernel, input, output } = spec;
  const weights = (channels * outputs * kernel[0] * kernel[1]) / group;
  return {
    multiplyAdds: batch * weights * input[0] * input[1],
    bytes: 4 * (batch * (channels * input[0] * input[1] + outputs * output[0] * output[1]) + weights),
  };
}
