import type { Constant, Node, Value } from "../../../graph/index.js";
import { groupSizeOf, SparseTensor } from "../../../layouts/index.js";
import type { FusedConvAttributes } from "../../../ops/fused/conv.js";
import { attributesFor, operatorOf, operators } from "../../../ops/index.js";
import { type ConvAttributes, convWindow } from "../../../ops/nn/conv.js";
import { type DataType, sizeOf } from "../../../tensor/index.js";
import { operationsOf } from "../elementwise/weights.js";
import type { Epilogue } from "../matmul/epilogue.js";
import { sharedRows } from "../matmul/shared-rows.js";
import type { ConcreteType, Cost, NodeContext } from "../node.js";

/** A convolution over `Axes` spatial axes; where a node has fewer, those missing have length 1. float32, NCHW. */
export interface ConvSpec<Axes extends readonly number[] = Pair> {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly group: number;
  readonly input: Axes;
  readonly output: Axes;
  readonly kernel: Axes;
  readonly strides: Axes;
  readonly dilations: Axes;
  /** Padding before the first of each axis; negative crops. */
  readonly pads: Axes;
  readonly epilogue: Epilogue;
  readonly sparse: boolean;
  /** Stored weights, and the bytes that they take as they are stored. */
  readonly kept: number;
  readonly weightBytes: number;
  /** A sparse weight's layout and values, "dense" otherwise. */
  readonly layout: string;
  /** Axes of the weight that make it a matrix [outputs, kernel positions × input channels]. */
  readonly perm: readonly number[];
}

/** A window's slide over the axes of each channel; see `Window` of the operators. */
export type WindowsSpec<Axes extends readonly number[] = Pair> = Pick<
  ConvSpec<Axes>,
  "channels" | "input" | "output" | "kernel" | "strides" | "dilations" | "pads"
>;

export type Pair = readonly [height: number, width: number];
export type Triple = readonly [depth: number, height: number, width: number];

/** A convolution over up to three spatial axes. */
export type VolumeConvSpec = ConvSpec<Triple>;

/** The numbers of a node's last axes as those of `count` axes: `missing` for each in front. */
export const lastAxes = <Axes>(values: readonly number[], count: number, missing: number): Axes =>
  [...new Array<number>(count - values.length).fill(missing), ...values] as Axes;

export const pixelsOf = ({ output }: Pick<ConvSpec<readonly number[]>, "output">): number => sizeOf(output);

const isFloat = (type: ConcreteType): boolean => type.dtype === "float32";

/** The convolution that a Conv or ai.nonzero Conv stands for, or null: its weight is no constant, it has three spatial axes, … */
export const convSpec = (node: Node, at: NodeContext): ConvSpec | null => convOver<Pair>(2, node, at);

/** The same for nodes of up to three spatial axes. */
export const volumeConvSpec = (node: Node, at: NodeContext): VolumeConvSpec | null => convOver<Triple>(3, node, at);

function convOver<Axes extends readonly number[]>(count: number, node: Node, at: NodeContext): ConvSpec<Axes> | null {
  const fused = node.domain === "ai.nonzero";
  if (node.op !== "Conv" || (node.domain !== "" && !fused)) return null;
  const [xValue, wValue, bias, residual] = node.inputs;
  const weight = wValue ? at.constant(wValue) : undefined;
  if (!xValue || !wValue || weight === undefined || !weight.shape.length) return null;
  const x = at.type(xValue);
  const rank = x.shape.length;
  const perm = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
  const sparse = weight instanceof SparseTensor;
  if (rank < 3 || rank > 2 + count || !isFloat(x) || weight.dtype !== "float32") return null;
  if (sparse && (weight.perm.join() !== perm.join() || groupSizeOf(weight.stored.layout) !== null)) return null;
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
  const axes = (values: readonly number[], missing: number): Axes => lastAxes(values, count, missing);
  return {
    batch: x.shape[0]!,
    channels: x.shape[1]!,
    outputs: weight.shape[0]!,
    group: conv.group,
    input: axes(window.input, 1),
    output: axes(window.output, 1),
    kernel: axes(window.kernel, 1),
    strides: axes(window.strides, 1),
    dilations: axes(window.dilations, 1),
    pads: axes(window.padsBegin, 0),
    epilogue: {
      bias: Boolean(bias),
      activation: activation.name,
      params: activation.params,
      residual: residual ? position : "",
    },
    sparse,
    ...storageOf(weight),
    perm,
  };
}

const storageOf = (weight: Constant): Pick<ConvSpec, "kept" | "weightBytes" | "layout"> => {
  if (!(weight instanceof SparseTensor)) return { kept: weight.size, weightBytes: weight.byteLength, layout: "dense" };
  const { layout, parts } = weight.stored;
  const values = parts.values!;
  return { kept: values.size, weightBytes: weight.byteLength, layout: `${layout}/${values.dtype}` };
};

export function convCost(spec: ConvSpec<readonly number[]>): Cost {
  const { batch, channels, outputs, group, kernel, strides, input, kept, weightBytes, layout, epilogue } = spec;
  const [name, dtype = "float32"] = layout.split("/") as [string, DataType?];
  const tokens = batch * pixelsOf(spec);
  const added = epilogue.residual === "" ? 0 : tokens * outputs;
  return {
    multiplyAdds: kept * tokens,
    bytes:
      weightBytes + 4 * (batch * channels * sizeOf(input) + tokens * outputs + added + (epilogue.bias ? outputs : 0)),
    product: {
      ...{ rows: outputs, depth: (channels / group) * sizeOf(kernel), tokens, kept, dtype },
      ...{ bytes: weightBytes, share: sharedRows(name, outputs), window: sizeOf(kernel) * sizeOf(strides) > 1 },
      activation: operationsOf(epilogue.activation),
    },
  };
}
