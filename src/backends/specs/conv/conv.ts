import type { Node, Value } from "../../../graph/index.js";
import { SparseTensor } from "../../../layouts/index.js";
import type { FusedConvAttributes } from "../../../ops/fused/conv.js";
import { attributesFor, operatorOf, operators } from "../../../ops/index.js";
import { type ConvAttributes, convWindow } from "../../../ops/nn/conv.js";
import type { Epilogue } from "../matmul/epilogue.js";
import type { ConcreteType, Cost, NodeContext } from "../node.js";

/** A convolution over two spatial axes; one axis is an image of height 1. float32, NCHW. */
export interface ConvSpec {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly group: number;
  /** [height, width] each. */
  readonly input: Pair;
  readonly output: Pair;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  /** Padding before the first row and column; negative crops. */
  readonly pads: Pair;
  readonly epilogue: Epilogue;
  readonly sparse: boolean;
  /** Axes of the weight that make it a matrix [outputs, kernel positions × input channels]. */
  readonly perm: readonly number[];
}

/** A window's slide over [height, width] of each channel; see `Window` of the operators. */
export type WindowsSpec = Pick<ConvSpec, "channels" | "input" | "output" | "kernel" | "strides" | "dilations" | "pads">;

export type Pair = readonly [height: number, width: number];

export const pixelsOf = ({ output }: ConvSpec): number => output[0] * output[1];

const isFloat = (type: ConcreteType): boolean => type.dtype === "float32";

/** The convolution that a Conv or ai.nonzero Conv stands for, or null: its weight is no constant, it has three spatial axes, … */
export function convSpec(node: Node, at: NodeContext): ConvSpec | null {
  const fused = node.domain === "ai.nonzero";
  if (node.op !== "Conv" || (node.domain !== "" && !fused)) return null;
  const [xValue, wValue, bias, residual] = node.inputs;
  const weight = wValue ? at.constant(wValue) : undefined;
  if (!xValue || !wValue || weight === undefined || !weight.shape.length) return null;
  const x = at.type(xValue);
  const rank = x.shape.length;
  const perm = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
  const sparse = weight instanceof SparseTensor;
  if (rank < 3 || rank > 4 || !isFloat(x) || weight.dtype !== "float32") return null;
  if (sparse && weight.perm.join() !== perm.join()) return null;
  const y = at.type(node.outputs[0]!);
  const added = [bias, residual].filter((v): v is Value => Boolean(v));
  if (added.some((v) => !isFloat(at.type(v)))) return null;
  if (residual && at.type(residual).shape.join() !== y.shape.join()) return null;
  if ([...y.shape, ...weight.shape].includes(0)) return null;

  const attributes = attributesFor(node, operatorOf(node, operators));
  const {
    conv,
    activation,
    residual: position,
  } = fused
    ? (attributes as FusedConvAttributes)
    : { conv: attributes as ConvAttributes, activation: { name: "", params: [] }, residual: "after" as const };
  const window = convWindow(x.shape, weight.shape, conv);
  const pair = (values: readonly number[], missing: number): Pair =>
    values.length === 1 ? [missing, values[0]!] : (values as Pair);
  return {
    batch: x.shape[0]!,
    channels: x.shape[1]!,
    outputs: weight.shape[0]!,
    group: conv.group,
    input: pair(window.input, 1),
    output: pair(window.output, 1),
    kernel: pair(window.kernel, 1),
    strides: pair(window.strides, 1),
    dilations: pair(window.dilations, 1),
    pads: pair(window.padsBegin, 0),
    epilogue: {
      bias: Boolean(bias),
      activation: activation.name,
      params: activation.params,
      residual: residual ? position : "",
    },
    sparse,
    perm,
  };
}

export function convCost(spec: ConvSpec): Cost {
  const { batch, channels, outputs, group, kernel, input } = spec;
  const inner = (channels / group) * kernel[0] * kernel[1];
  return {
    multiplyAdds: batch * outputs * pixelsOf(spec) * inner,
    bytes: 4 * (batch * (channels * input[0] * input[1] + outputs * pixelsOf(spec)) + outputs * inner),
  };
}
