import { NonzeroError, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { type ConvAttributes, convAttributes, convType, convWindow } from "./conv.js";

export interface DeformConvAttributes extends ConvAttributes {
  readonly offsetGroup: number;
}

/**
 * The linear interpolation of one plane at `position` (one coordinate per axis); what lies outside counts as 0.
 */
function sample(
  values: ArrayLike<number>,
  from: number,
  sizes: readonly number[],
  strides: readonly number[],
  position: Float64Array,
): number {
  const rank = sizes.length;
  let sum = 0;
  for (let corner = 0; corner < 1 << rank; corner++) {
    let at = from;
    let weight = 1;
    for (let axis = 0; axis < rank && weight !== 0; axis++) {
      const low = Math.floor(position[axis]!);
      const index = low + ((corner >> axis) & 1);
      if (index < 0 || index >= sizes[axis]!) weight = 0;
      else {
        weight *= 1 - Math.abs(position[axis]! - index);
        at += index * strides[axis]!;
      }
    }
    if (weight !== 0) sum += weight * values[at]!;
  }
  return sum;
}

/**
 * ONNX DeformConv: Conv whose taps are moved by offset [N, offset_group · taps · r, output…] (r spatial axes, in their order)
 * and weighted by mask [N, offset_group · taps, output…]; X [N, C, input…], W [O, C/group, kernel…], optional bias [O].
 */
export const deformConv: Operator<DeformConvAttributes> = {
  name: "DeformConv",
  domain: "",
  attributes: (node) => ({ ...convAttributes(node), offsetGroup: node.int("offset_group", 1) }),
  infer: (inputs, a) => [convType(need(inputs, 0), need(inputs, 1), a)],
  evaluate: (inputs, a) => {
    const [x, w, offset] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const window = convWindow(x.shape, w.shape, a);
    const { input, output, kernel } = window;
    const rank = input.length;
    const taps = sizeOf(kernel);
    const [batch, channels] = x.shape as [number, number];
    const outputs = w.shape[0]!;
    const points = sizeOf(output);
    const plane = sizeOf(input);
    const expect = (tensor: Tensor, perTap: number) => {
      const shape = [batch, a.offsetGroup * taps * perTap, ...output];
      if (tensor.shape.length !== shape.length || tensor.shape.some((dim, i) => dim !== shape[i]))
        throw new NonzeroError("shape", `expected [${shape}], found [${tensor.shape}]`);
    };
    expect(offset, rank);
    if (inputs[4] != null) expect(inputs[4], 1);
    if (channels % a.offsetGroup !== 0)
      throw new NonzeroError("shape", `${channels} channels in ${a.offsetGroup} offset groups`);
    const [xs, ws, os] = [x.numbers(), w.numbers(), offset.numbers()];
    const bias = inputs[3]?.numbers();
    const mask = inputs[4]?.numbers();
    const strides = stridesOf(input);
    const [kernelStrides, outputStrides] = [stridesOf(kernel), stridesOf(output)];
    const position = new Float64Array(rank);
    const perGroup = channels / a.group;
    const outputsPerGroup = outputs / a.group;
    const columns = new Float64Array(channels * taps);
    const result = numbersFor(x.dtype, batch * outputs * points);
    for (let n = 0; n < batch; n++) {
      for (let point = 0; point < points; point++) {
        for (let group = 0; group < a.offsetGroup; group++) {
          for (let tap = 0; tap < taps; tap++) {
            const moved = (n * a.offsetGroup + group) * taps + tap;
            for (let axis = 0; axis < rank; axis++) {
              const o = Math.floor(point / outputStrides[axis]!) % output[axis]!;
              const k = Math.floor(tap / kernelStrides[axis]!) % kernel[axis]!;
              const regular = o * window.strides[axis]! + k * window.dilations[axis]! - window.padsBegin[axis]!;
              position[axis] = regular + os[(moved * rank + axis) * points + point]!;
            }
            const weight = mask === undefined ? 1 : mask[moved * points + point]!;
            const perOffset = channels / a.offsetGroup;
            for (let c = group * perOffset; c < (group + 1) * perOffset; c++)
              columns[c * taps + tap] = weight * sample(xs, (n * channels + c) * plane, input, strides, position);
          }
        }
        for (let o = 0; o < outputs; o++) {
          const from = Math.floor(o / outputsPerGroup) * perGroup * taps;
          let sum = bias === undefined ? 0 : bias[o]!;
          for (let i = 0; i < perGroup * taps; i++) sum += columns[from + i]! * ws[o * perGroup * taps + i]!;
          result[(n * outputs + o) * points + point] = sum;
        }
      }
    }
    return [Tensor.from(x.dtype, [batch, outputs, ...output], result)];
  },
};
