import type { Node } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import { attributesFor, operatorOf, operators } from "../../../../ops/index.js";
import { type ConvTransposeAttributes, transposedWindow } from "../../../../ops/nn/conv-transpose.js";
import { Tensor } from "../../../../tensor/index.js";
import type { Argument, Kernel, Lowering, MatchContext } from "../../kernel.js";
import { lowerPanelMultiply, panelsFor } from "../matmul/panel.js";
import { pack } from "../matmul/panels.js";
import { NO_EPILOGUE } from "../matmul/store.js";
import { gatherTaps } from "./gather-taps.js";
import type { Pair } from "./spec.js";

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

/**
 * ConvTranspose with a dense constant weight: a product of matrices gives each tap's part of the output, Z [outputs × kernel positions,
 * input pixels] = Wᵀ · x, which is then gathered where it belongs (col2im; `torch.nn.Fold`).
 */
export const transposedConv: Kernel<TransposedConvSpec, null> = {
  name: "transposed-conv",
  match,
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { batch, channels, outputs, group, input, output, bias } = spec;
    const x = to.buffer(node.inputs[0]!);
    const y = to.buffer(node.outputs[0]!);
    const planes = { x: 4 * input[0] * input[1], y: 4 * output[0] * output[1] };
    for (let n = 0; n < batch; n++) {
      for (let g = 0; g < group; g++) {
        const from = { buffer: x, offset: (n * channels + (g * channels) / group) * planes.x };
        const first = (g * outputs) / group;
        const parts = multiplyTaps(spec, node, g, from, to);
        const offset = (n * outputs + first) * planes.y;
        const biasAt: Argument = bias ? { buffer: to.buffer(node.inputs[2]!), offset: 4 * first } : 0;
        gatherTaps(spec, parts, biasAt, { buffer: y, offset }, to);
      }
    }
  },
  cost: ({ batch, channels, outputs, group, kernel, input, output }) => {
    const weights = (channels * outputs * kernel[0] * kernel[1]) / group;
    return {
      multiplyAdds: batch * weights * input[0] * input[1],
      bytes: 4 * (batch * (channels * input[0] * input[1] + outputs * output[0] * output[1]) + weights),
    };
  },
};

/** Z of one group: [outputs / group × kernel positions, input pixels]. */
function multiplyTaps(spec: TransposedConvSpec, node: Node, g: number, x: Argument, to: Lowering): Argument {
  const { channels, outputs, group, input, kernel } = spec;
  const weight = node.inputs[1]!;
  const [K, N] = [channels / group, input[0] * input[1]];
  const rows = (outputs / group) * kernel[0] * kernel[1];
  // The group's part of the weight [channels, outputs / group, kernel…] as a matrix [K, rows].
  const all = (to.constant(weight) as Tensor).data as Float32Array;
  const matrix = new Tensor("float32", [K, rows], all.subarray(g * K * rows, (g + 1) * K * rows));
  const ofGroup: Lowering = {
    ...to,
    constant: (value) => (value === weight ? matrix : to.constant(value)),
    prepared: (value, key, bytes, fill) => to.prepared(value, `${key}/transposed-conv/${g}`, bytes, fill),
  };
  const panels = panelsFor(weight, undefined, K, N, ofGroup);
  const packed = pack(to, panels, "feature-major", x, N);
  const parts = to.scratch(4 * rows * N);
  lowerPanelMultiply(
    { weight, perm: [1, 0], panels, x: packed, y: parts, order: "feature-major", yStride: N, epilogue: NO_EPILOGUE },
    ofGroup,
  );
  return parts;
}

function match(node: Node, at: MatchContext): TransposedConvSpec | null {
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
