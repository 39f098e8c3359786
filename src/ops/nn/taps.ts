import { sizeOf, stridesOf } from "../../tensor/index.js";
import type { Window } from "./window.js";

/**
 * Where a window's taps meet its input, for one plane: for each tap (row-major in the kernel) the runs of output
 * positions whose tap lies inside the input. Run r covers outputs out[r] … out[r] + length[r] − 1 and meets inputs
 * input[r], input[r] + step, …. Runs of tap t are starts[t] … starts[t + 1] − 1.
 */
export interface Taps {
  readonly count: number;
  readonly step: number;
  readonly starts: Int32Array;
  readonly out: Int32Array;
  readonly input: Int32Array;
  readonly length: Int32Array;
}

/** Output positions [from, to) along an axis whose tap at `shift` (tap·dilation − begin padding) is inside [0, size). */
function inside(shift: number, stride: number, size: number, outputs: number): [number, number] {
  const from = Math.max(0, Math.ceil(-shift / stride));
  const to = Math.min(outputs, Math.floor((size - 1 - shift) / stride) + 1);
  return [from, Math.max(from, to)];
}

/** Rows, inputs and outputs of every tap of the window. */
export function tapsOf(window: Window): Taps {
  const { input, output, kernel, strides, dilations, padsBegin } = window;
  const rank = kernel.length;
  const count = sizeOf(kernel);
  const inputStrides = stridesOf(input);
  const outputStrides = stridesOf(output);
  const kernelStrides = stridesOf(kernel);
  const step = rank === 0 ? 1 : strides[rank - 1]!;
  const starts = new Int32Array(count + 1);
  const out: number[] = [];
  const from: number[] = [];
  const length: number[] = [];
  for (let tap = 0; tap < count; tap++) {
    const first = out.length;
    const walk = (axis: number, outAt: number, inAt: number): void => {
      const shift = (Math.floor(tap / kernelStrides[axis]!) % kernel[axis]!) * dilations[axis]! - padsBegin[axis]!;
      const [begin, end] = inside(shift, strides[axis]!, input[axis]!, output[axis]!);
      if (axis < rank - 1) {
        for (let o = begin; o < end; o++)
          walk(axis + 1, outAt + o * outputStrides[axis]!, inAt + (o * strides[axis]! + shift) * inputStrides[axis]!);
        return;
      }
      if (begin === end) return;
      const o = outAt + begin;
      const i = inAt + begin * step + shift;
      const last = out.length - 1;
      // Runs that touch in both output and input are one run: a pointwise convolution is a single run.
      if (last >= first && out[last]! + length[last]! === o && from[last]! + length[last]! * step === i) {
        length[last]! += end - begin;
        return;
      }
      out.push(o);
      from.push(i);
      length.push(end - begin);
    };
    if (rank === 0) {
      out.push(0);
      from.push(0);
      length.push(1);
    } else walk(0, 0, 0);
    starts[tap + 1] = out.length;
  }
  return {
    count,
    step,
    starts,
    out: Int32Array.from(out),
    input: Int32Array.from(from),
    length: Int32Array.from(length),
  };
}
