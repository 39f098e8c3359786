import { SparseTensor } from "../../../../layouts/index.js";
import { type ConvSpec, convCost, convSpec, pixelsOf } from "../../../specs/conv/conv.js";
import type { Buffer, Kernel } from "../../kernel.js";
import { allEntries } from "../matmul/prepare.js";
import { isProcessor } from "./device.js";
import { isWithin, launchProduct } from "./launch.js";
import { packDense, packEntries } from "./weights.js";

/** Fewer output channels leave most of a tile's rows empty. */
const LEAST_OUTPUTS = 8;

const taps = ({ channels, kernel: [height, width] }: ConvSpec): number => channels * height * width;

/** All windows lie inside their images. */
const isUnpadded = ({ input, output, kernel, strides, dilations, pads }: ConvSpec): boolean =>
  input.every((size, axis) => {
    const last = (output[axis]! - 1) * strides[axis]! + (kernel[axis]! - 1) * dilations[axis]!;
    return pads[axis] === 0 && last < size;
  });

/** Conv without groups and padding, dense or sparse in any layout, on a processor: a product of the weights with the windows of all pixels. */
export const laneConv: Kernel<ConvSpec, null> = {
  name: "conv",
  match(node, at) {
    if (!isProcessor(at.device)) return null;
    const spec = convSpec(node, at);
    if (spec === null || spec.group !== 1 || spec.outputs < LEAST_OUTPUTS || !isUnpadded(spec)) return null;
    return isWithin(spec.outputs, taps(spec), pixelsOf(spec), at.device) && spec.batch <= 65535 ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { batch, channels, outputs: M, input, output, kernel, strides, dilations, epilogue } = spec;
    const [height, width] = kernel;
    const [K, N, plane] = [taps(spec), pixelsOf(spec), input[0] * input[1]];
    const [x, weight, bias, residual] = node.inputs;
    const constant = to.constant(weight!)!;
    const entries = constant instanceof SparseTensor ? allEntries(constant) : null;
    const placeOf = (channel: number, ky: number, kx: number): number =>
      channel * plane + ky * dilations[0] * input[1] + kx * dilations[1];
    const buffer = (value: typeof bias): Buffer | null => (value ? to.buffer(value) : null);
    launchProduct(to, {
      ...{ weight: weight!, M, K, N, batch, epilogue, scales: entries?.scales ?? null },
      key: `conv/${[...input, ...dilations]}`,
      packed:
        constant instanceof SparseTensor
          ? packEntries(allEntries(constant), (k) => {
              const position = Math.floor(k / channels); // channels are innermost
              return placeOf(k % channels, Math.floor(position / width), position % width);
            })
          : packDense(constant.data as Float32Array, [M, K], [K, 1], (k) =>
              placeOf(Math.floor(k / (height * width)), Math.floor(k / width) % height, k % width),
            ),
      strides: {
        ...{ xOfK: 1, xOfToken: strides[1], line: output[1], xOfLine: strides[0] * input[1] },
        ...{ yOfRow: N, yOfToken: 1, xBatch: channels * plane, yBatch: M * N },
      },
      ...{ x: to.buffer(x!), y: to.buffer(node.outputs[0]!), bias: buffer(bias), residual: buffer(residual) },
    });
  },
  cost: convCost,
};
