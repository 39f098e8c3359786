import type { Constant, Node } from "../../../../graph/index.js";
import { type ConvSpec, convCost, convSpec, pixelsOf } from "../../../specs/conv/conv.js";
import { isSparse } from "../../../specs/matmul/weights.js";
import type { Argument, Kernel, KernelCode, Lowering, MatchContext } from "../../kernel.js";
import { denseRowsBuffer } from "../matmul/panel.js";
import { denseStripCode } from "./dense-strips.js";
import { stripArguments, stripStreamCode } from "./multiply-strips.js";
import { packStrips } from "./pack-strips.js";
import { numbersKey, stripStreamOf, writeStripStream } from "./strip-stream.js";
import { channelFloats, type Strips, stripsOf, stripsPay, tapFloats } from "./strips.js";

export interface StripConvSchedule {
  /** Bytes of strips that are packed at a time, about: each thread's share should stay in its second cache. */
  readonly band: number;
  /** Bytes of a strip that stay in the first cache. */
  readonly slab: number;
}

/** Dense taps are unrolled. */
const MOST_TAPS = 49;
/** Floats of a slab are numbered in 16 bits. */
const MOST_FLOATS = 32000;

/**
 * Conv over strips of the image (see `Strips`): direct convolution of an image of several rows, dense taps or sparse ones in any layout, where that is
 * less work than unfolding. Few outputs, large images and large kernels gain most: what is packed is needed by every output.
 */
export const stripConv: Kernel<ConvSpec, StripConvSchedule> = {
  name: "strip-conv",
  match(node, at) {
    const spec = stripSpec(node, at);
    return spec && stripsPay(spec, keptOf(at.constant(node.inputs[1]!)!)) ? spec : null;
  },
  schedules: (_, device) => [{ band: device.threads << 18, slab: 40 << 10 }],
  lower(spec, schedule, node, to) {
    for (let n = 0; n < spec.batch; n++) {
      for (let g = 0; g < spec.group; g++) lowerGroup(spec, schedule, node, n, g, to);
    }
  },
  cost: convCost,
};

/** The convolution when strips can do it, whether they pay or not. */
export function stripSpec(node: Node, at: MatchContext): ConvSpec | null {
  const spec = convSpec(node, at);
  if (spec === null || spec.output[1] < 4) return null;
  if (!spec.sparse && spec.kernel[0] * spec.kernel[1] > MOST_TAPS) return null;
  return channelFloats(stripsOf(spec)) <= MOST_FLOATS ? spec : null;
}

/** The share of a weight's entries that are stored. */
const keptOf = (weight: Constant): number =>
  isSparse(weight) ? weight.stored.parts.values!.size / (weight.stored.rows * weight.stored.cols) : 1;

/** The outputs of group `g` for image `n`. */
function lowerGroup(
  spec: ConvSpec,
  { band, slab: slabBytes }: StripConvSchedule,
  node: Node,
  n: number,
  g: number,
  to: Lowering,
): void {
  const { group, epilogue, input, output } = spec;
  const strips = stripsOf(spec);
  const channels = spec.channels / group;
  const outputs = spec.outputs / group;
  const perChannel = 4 * channelFloats(strips);
  const slabs = Math.ceil(channels / Math.max(1, Math.floor(slabBytes / perChannel)));
  const slab = Math.ceil(channels / slabs);
  const stripBytes = channels * perChannel;
  const planes = { x: 4 * input[0] * input[1], y: 4 * pixelsOf(spec) };
  const x = { buffer: to.buffer(node.inputs[0]!), offset: (n * spec.channels + g * channels) * planes.x };
  const offset = (n * spec.outputs + g * outputs) * planes.y;
  const bias: Argument = epilogue.bias ? { buffer: to.buffer(node.inputs[2]!), offset: 4 * g * outputs } : 0;
  const residual: Argument = epilogue.residual ? { buffer: to.buffer(node.inputs[3]!), offset } : 0;
  const heights = strips.tallCount < strips.blocks ? [strips.tall, strips.tall - 1] : [strips.tall];
  const product = (spec.sparse ? sparseProduct : denseProduct)(spec, node, g, strips, slab, to);
  const sumBytes = product.rows * 16 * strips.tall;
  const sums = to.scratch(to.device.threads * sumBytes);
  const code = product.code(heights);

  const bands = Math.min(strips.blocks, Math.max(1, Math.round((strips.blocks * strips.groups * stripBytes) / band)));
  const blocksOf = (b: number): number => Math.round((b * strips.blocks) / bands);
  for (let b = 0; b < bands; b++) {
    const [first, end] = [blocksOf(b), blocksOf(b + 1)];
    const count = (end - first) * strips.groups;
    const packed = to.scratch(count * stripBytes);
    packStrips(spec, strips, x, packed, [first, end], to);
    const args = stripArguments({
      x: packed,
      sums,
      y: { buffer: to.buffer(node.outputs[0]!), offset },
      residual,
      bias,
      plane: planes.y,
      rowBytes: 4 * output[1],
      lastColumn: output[1] - 4,
      groups: strips.groups,
      strips: count,
      firstBlock: first,
      tallCount: strips.tallCount,
      stripBytes,
      slabBytes: slab * perChannel,
      slabs: Math.ceil(channels / slab),
      sumBytes,
    });
    to.launch(code, [...args, ...product.args], product.blocks * count);
  }
}

/** How a group's weight multiplies strips. */
interface Product {
  /** Outputs of a block, at most. */
  readonly rows: number;
  readonly blocks: number;
  /** After those that all products share. */
  readonly args: readonly Argument[];
  code(heights: readonly number[]): KernelCode;
}

function sparseProduct(spec: ConvSpec, node: Node, g: number, strips: Strips, slab: number, to: Lowering): Product {
  const { group, epilogue, kernel } = spec;
  const value = node.inputs[1]!;
  const weight = to.constant(value)!;
  if (!isSparse(weight)) throw new TypeError("a dense weight");
  const outputs = spec.outputs / group;
  const range = [g * outputs, (g + 1) * outputs] as const;
  const numbers = { channels: spec.channels / group, kernel, strips, slab };
  const stream = stripStreamOf(weight, range, numbers);
  const w = to.prepared(value, `conv/strip-stream/${numbersKey(numbers)}/${range}`, stream.bytes, (target) =>
    writeStripStream(weight, range, numbers, stream, target),
  );
  const { share, dtype, scales, blocks } = stream;
  const tallest = blocks.reduce((most, end, b) => Math.max(most, end - (blocks[b - 1] ?? 0)), 0);
  return {
    rows: share * tallest,
    blocks: blocks.length - 1,
    args: [w, scales],
    code: (heights: readonly number[]) =>
      stripStreamCode({ heights, pitch: 4 * strips.columns.count, epilogue, share, dtype, scaled: scales > 0 }),
  };
}

/** Outputs of a dense block, about: their weights should stay in the second cache. */
const DENSE_BLOCK = 96;
/** Every tile's height divides it. */
const WHOLE = 24;

function denseProduct(spec: ConvSpec, node: Node, g: number, strips: Strips, slab: number, to: Lowering): Product {
  const { group, epilogue, kernel } = spec;
  const outputs = spec.outputs / group;
  const channels = spec.channels / group;
  const weight = node.inputs[1]!;
  const perm = spec.perm.map((_, i) => i);
  const { buffer } = denseRowsBuffer({ weight, perm, rows: [g * outputs, (g + 1) * outputs] }, to);
  const blocks = Math.ceil(outputs / DENSE_BLOCK);
  const block = Math.ceil(outputs / blocks / WHOLE) * WHOLE;
  const taps = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) =>
    tapFloats(strips, [Math.floor(tap / kernel[1]), tap % kernel[1]]),
  ).map((floats) => 4 * floats);
  const channelBytes = 4 * channelFloats(strips);
  return {
    rows: block,
    blocks: Math.ceil(outputs / block),
    args: [buffer, slab, channels, outputs, block],
    code: (heights) => denseStripCode({ heights, pitch: 4 * strips.columns.count, epilogue, taps, channelBytes }),
  };
}
