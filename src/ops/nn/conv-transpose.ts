import type { Dim } from "../../graph/index.js";
import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { isConcrete, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { type ConvAttributes, convAttributes } from "./conv.js";
import { addDim, multiplyDim, unknownDim } from "./dims.js";
import { tapsOf } from "./taps.js";
import { perAxis, spanOf, type Window } from "./window.js";

export interface ConvTransposeAttributes extends ConvAttributes {
  readonly outputPadding: readonly number[] | null;
  readonly outputShape: readonly number[] | null;
}

/**
 * The window of the convolution that this one transposes: its `input` is ConvTranspose's output and its `output` ConvTranspose's
 * input. Output sizes are stride·(in − 1) + output_padding + span − pads; output_shape, or SAME (in·stride), fixes the
 * size instead and shares out the padding that this takes: the odd one at the end for SAME_UPPER, at the begin otherwise.
 */
export function transposedWindow(
  a: ConvTransposeAttributes,
  input: readonly number[],
  kernel: readonly number[],
): Window {
  const rank = input.length;
  const strides = perAxis(a.strides, rank, 1, "strides");
  const dilations = perAxis(a.dilations, rank, 1, "dilations");
  const pads = perAxis(a.pads, 2 * rank, 0, "pads");
  const extra = perAxis(a.outputPadding, rank, 0, "output_padding");
  // Some exporters give output_shape with the batch and channels in front.
  const given = a.outputShape === null ? null : perAxis(a.outputShape.slice(-rank), rank, 0, "output_shape");
  const same = a.autoPad === "SAME_UPPER" || a.autoPad === "SAME_LOWER";
  const padsBegin: number[] = [];
  const padsEnd: number[] = [];
  const sizes: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const stride = strides[axis]!;
    const full = stride * (input[axis]! - 1) + extra[axis]! + spanOf(kernel[axis]!, dilations[axis]!);
    let begin = pads[axis]!;
    let end = pads[rank + axis]!;
    if (given !== null || same) {
      const size = given?.[axis] ?? input[axis]! * stride;
      const total = Math.max(0, full - size);
      const small = Math.floor(total / 2);
      begin = a.autoPad === "SAME_UPPER" ? small : total - small;
      end = total - begin;
      sizes.push(size);
    } else sizes.push(full - begin - end);
    if (sizes[axis]! < 0)
      throw new NonzeroError("shape", `spatial axis ${axis} of the output would have size ${sizes[axis]}`);
    padsBegin.push(begin);
    padsEnd.push(end);
  }
  return { input: sizes, output: input, kernel, strides, dilations, padsBegin, padsEnd };
}

function checkShapes(x: readonly Dim[], w: readonly Dim[], group: number): void {
  if (x.length < 3 || x.length !== w.length)
    throw new NonzeroError("shape", `x of shape [${x}] and a weight of shape [${w}]`);
  if (typeof x[1] === "number" && typeof w[0] === "number" && (x[1] !== w[0] || x[1] % group !== 0))
    throw new NonzeroError("shape", `x of shape [${x}] does not fit a weight of shape [${w}] in ${group} groups`);
}

function inferShape(a: ConvTransposeAttributes, x: readonly Dim[] | null, w: readonly Dim[] | null): Dim[] | null {
  if (x === null || w === null) return null;
  checkShapes(x, w, a.group);
  const lead = [x[0]!, multiplyDim(w[1]!, a.group)];
  const input = x.slice(2);
  const kernel = w.slice(2).map((k, axis) => (typeof k === "number" ? k : (a.kernelShape?.[axis] ?? k)));
  if (isConcrete(input) && isConcrete(kernel)) return [...lead, ...transposedWindow(a, input, kernel).input];
  const rank = input.length;
  const strides = perAxis(a.strides, rank, 1, "strides");
  const dilations = perAxis(a.dilations, rank, 1, "dilations");
  const pads = perAxis(a.pads, 2 * rank, 0, "pads");
  const extra = perAxis(a.outputPadding, rank, 0, "output_padding");
  const given = a.outputShape?.slice(-rank);
  return [
    ...lead,
    ...input.map((size, axis): Dim => {
      if (given !== undefined) return given[axis]!;
      const grown = multiplyDim(size, strides[axis]!);
      if (a.autoPad === "SAME_UPPER" || a.autoPad === "SAME_LOWER") return grown;
      const taps = kernel[axis]!;
      if (typeof taps === "string") return unknownDim(`transposed(${size},${taps})`);
      const more = extra[axis]! + spanOf(taps, dilations[axis]!) - pads[axis]! - pads[rank + axis]! - strides[axis]!;
      return addDim(grown, more);
    }),
  ];
}

/**
 * ONNX ConvTranspose: x [N, C, spatial…], weight [C, O/group, kernel…], optional bias [O] to [N, O, spatial…]; the
 * transpose of the linear map that Conv with the same attributes is.
 */
export const convTranspose: Operator<ConvTransposeAttributes> = {
  name: "ConvTranspose",
  domain: "",
  attributes: (node) => {
    const list = (name: string) => {
      const values = node.optional(name, "ints") ?? [];
      return values.length === 0 ? null : values;
    };
    return { ...convAttributes(node), outputPadding: list("output_padding"), outputShape: list("output_shape") };
  },
  infer: (inputs, a) => {
    const [x, w] = [need(inputs, 0), need(inputs, 1)];
    return [{ dtype: x.type.dtype, shape: inferShape(a, x.type.shape, w.type.shape) }];
  },
  evaluate: (inputs, a) => {
    const [x, w, bias] = [need(inputs, 0), need(inputs, 1), inputs[2]?.numbers()];
    checkShapes(x.shape, w.shape, a.group);
    const window = transposedWindow(a, x.shape.slice(2), w.shape.slice(2));
    const [batch, channels] = x.shape as [number, number];
    const perGroup = channels / a.group;
    const outputsPerGroup = w.shape[1]!;
    const outputs = outputsPerGroup * a.group;
    if (bias !== undefined && bias.length !== outputs)
      throw new NonzeroError("shape", `a bias of ${bias.length} for ${outputs} outputs`);
    const shape = [batch, outputs, ...window.input];
    const inputSize = sizeOf(window.output);
    const outputSize = sizeOf(window.input);
    const { count, step, starts, out, input, length } = tapsOf(window);
    const xs = x.numbers();
    const ws = w.numbers();
    const sums = new Float64Array(outputSize);
    const result = numbersFor(x.dtype, sizeOf(shape));
    for (let n = 0; n < batch; n++) {
      for (let o = 0; o < outputs; o++) {
        sums.fill(bias === undefined ? 0 : bias[o]!);
        const group = Math.floor(o / outputsPerGroup);
        for (let c = group * perGroup; c < (group + 1) * perGroup; c++) {
          const xAt = (n * channels + c) * inputSize;
          const wAt = (c * outputsPerGroup + (o % outputsPerGroup)) * count;
          for (let tap = 0; tap < count; tap++) {
            const weight = ws[wAt + tap]!;
            for (let run = starts[tap]!; run < starts[tap + 1]!; run++) {
              const from = xAt + out[run]!;
              const to = input[run]!;
              const runLength = length[run]!;
              for (let i = 0; i < runLength; i++) sums[to + i * step]! += weight * xs[from + i]!;
            }
          }
        }
        result.set(sums, (n * outputs + o) * outputSize);
      }
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
