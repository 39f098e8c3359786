import type { Node } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import { attributesFor, operatorOf, operators } from "../../../../ops/index.js";
import { type ConvTransposeAttributes, transposedWindow } from "../../../../ops/nn/conv-transpose.js";
import { i32, type Local } from "../../asm/index.js";
import {
  type Buffer,
  type Kernel,
  type KernelCode,
  kernelFunction,
  type Lowering,
  type MatchContext,
} from "../../kernel.js";
import { type Frame, fill, geometryOf } from "./frame.js";
import { lowerGroup, type PanelConvSchedule, panelConv, panelSchedules, within } from "./panel-conv.js";
import type { ConvSpec, Pair } from "./spec.js";

/** A ConvTranspose as a convolution of the spread image: `conv` slides with stride 1 over pixels `spread` apart. */
export interface TransposedConvSpec {
  readonly conv: ConvSpec;
  /** x's height and width before it is spread. */
  readonly image: Pair;
  readonly spread: Pair;
}

/**
 * ConvTranspose, dense, one group, one or two spatial axes: the convolution, with its taps in reverse, of x with stride - 1 zeros between
 * its pixels. The zeros are multiplied too, so that work grows with the stride.
 */
export const transposedConv: Kernel<TransposedConvSpec, PanelConvSchedule> = {
  name: "transposed-conv",
  match,
  schedules: (_, device) => panelSchedules(device),
  lower({ conv, image, spread }, schedule, node, to) {
    const x = to.buffer(node.inputs[0]!);
    const { kernel, dilations } = conv;
    const reversed: ConvSpec = { ...conv, dilations: [-dilations[0], -dilations[1]] };
    for (let n = 0; n < conv.batch; n++) {
      const frame = spreadFrame(conv, image, spread, x, n, to);
      const lastTap = (kernel[0] - 1) * dilations[0] * frame.row + 4 * (kernel[1] - 1) * dilations[1];
      lowerGroup(reversed, schedule, node, n, 0, { ...frame, image: within(frame.image, lastTap) }, to);
    }
  },
  cost: ({ conv }) => panelConv.cost(conv),
};

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
  if (attributes.group !== 1) return null;
  const window = transposedWindow(attributes, shape.slice(2), weight.shape.slice(2));
  const pair = (values: readonly number[], missing: number): Pair =>
    values.length === 1 ? [missing, values[0]!] : (values as Pair);
  const [image, kernel] = [pair(window.output, 1), pair(window.kernel, 1)];
  const [spread, dilations] = [pair(window.strides, 1), pair(window.dilations, 1)];
  const begin = pair(window.padsBegin, 0);
  const along = (of: (axis: 0 | 1) => number): Pair => [of(0), of(1)];
  return {
    image,
    spread,
    conv: {
      batch: shape[0]!,
      channels: shape[1]!,
      outputs: weight.shape[1]!,
      group: 1,
      input: along((axis) => (image[axis] - 1) * spread[axis] + 1),
      output: pair(window.input, 1),
      kernel,
      strides: [1, 1],
      dilations,
      pads: along((axis) => (kernel[axis] - 1) * dilations[axis] - begin[axis]),
      epilogue: { bias: Boolean(bias), activation: "", params: [], residual: "" },
      sparse: false,
      perm: [1, ...weight.shape.slice(2).map((_, axis) => axis + 2), 0],
    },
  };
}

/** As `frameOf`, of image number `index` of x with zeros between its pixels. */
function spreadFrame(
  conv: ConvSpec,
  [height, width]: Pair,
  spread: Pair,
  x: Buffer,
  index: number,
  to: Lowering,
): Frame {
  const { channels, pads } = conv;
  const { rows, columns } = geometryOf(conv);
  const image = to.scratch(4 * channels * rows * columns);
  const from = { buffer: x, offset: 4 * index * channels * height * width };
  to.launch(SPREAD, [from, image, height, width, rows, columns, pads[0], pads[1], ...spread], channels);
  return { image, plane: 4 * rows * columns, phase: 0, row: 4 * columns, copied: true };
}

type I = Local<"i32">;

/** Arguments: x, frame, height, width, frame rows, columns, padding above and left, spread of rows and columns. Chunk: a channel. */
const SPREAD: KernelCode = {
  key: "conv/spread",
  build: () =>
    kernelFunction(10, (f, chunk, args) => {
      const [x, frame, height, width, rows, columns, top, left, tall, wide] = args as [I, I, I, I, I, I, I, I, I, I];
      f.increment(x, i32.shl(i32.mul(chunk, i32.mul(height, width)), 2));
      const to = f.local("i32", i32.add(frame, i32.shl(i32.mul(chunk, i32.mul(rows, columns)), 2)));
      fill(f, to, f.local("i32", 0), i32.mul(rows, columns));
      f.set(to, i32.add(frame, i32.shl(i32.mul(chunk, i32.mul(rows, columns)), 2)));
      f.for(0, height, 1, (r) => {
        const row = f.local("i32", i32.add(top, i32.mul(r, tall)));
        f.if(i32.lt_u(row, rows), () => {
          const rowAt = f.local("i32", i32.add(to, i32.shl(i32.mul(row, columns), 2)));
          f.for(0, width, 1, (c) => {
            const column = f.local("i32", i32.add(left, i32.mul(c, wide)));
            f.if(i32.lt_u(column, columns), () =>
              f.storeI32(i32.add(rowAt, i32.shl(column, 2)), i32.load(i32.add(x, i32.shl(c, 2)))),
            );
            f.free(column);
          });
          f.free(rowAt);
        });
        f.increment(x, i32.shl(width, 2));
        f.free(row);
      });
    }),
};
