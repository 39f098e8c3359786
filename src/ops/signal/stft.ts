import type { Dim } from "../../graph/index.js";
import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { checkShape, unknownDim } from "../shape/dims.js";
import { complexLine, rootsOfUnity, transform } from "./fourier.js";

interface STFTAttributes {
  readonly oneSided: boolean;
}

/**
 * ONNX STFT: the Fourier transforms of the frames of a signal [batch, length, 1 or 2], `frame_step` (input 1) apart, each
 * multiplied by the window (input 2): [batch, frames, bins, 2]. The frame length is input 3, or the window's; `onesided`
 * (the default) keeps length / 2 + 1 bins of a real signal.
 */
export const stft: Operator<STFTAttributes> = {
  name: "STFT",
  domain: "",
  shapeInputs: [1, 3],
  attributes: (node) => ({ oneSided: node.flag("onesided", true) }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    const step = need(inputs, 1).value?.item();
    const length = inputs[3] == null ? windowLength(inputs[2]) : inputs[3].value?.item();
    const signal = shape?.[1];
    const known = typeof signal === "number" && step !== undefined && typeof length === "number";
    const frames = known ? frameCount(signal, length, step) : unknownDim();
    return [{ dtype, shape: [shape?.[0] ?? unknownDim(), frames, binCount(length, a), 2] }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const window = inputs[2] ?? null;
    const [batch, samples, width = 1] = x.shape as [number, number, number?];
    if (x.shape.length < 2 || x.shape.length > 3 || (width !== 1 && width !== 2))
      throw new NonzeroError("shape", `expected a signal [batch, length, 1 or 2], found [${x.shape}]`);
    if (width === 2 && a.oneSided)
      throw new NonzeroError("shape", "a one-sided transform of a complex signal", { field: "onesided" });
    const step = need(inputs, 1).item();
    const length = inputs[3]?.item() ?? window?.size;
    if (length === undefined) throw new NonzeroError("shape", "neither a window nor a frame length is given");
    if (window !== null && window.size !== length)
      throw new NonzeroError("shape", `a window of ${window.size} for frames of ${length}`, { field: "window" });
    const frames = frameCount(samples, length, step);
    const count = binCount(length, a) as number;
    const shape = checkShape([batch, frames, count, 2]);

    const values = x.numbers();
    const weights = window?.numbers() ?? new Float64Array(length).fill(1);
    const result = numbersFor(x.dtype, sizeOf(shape));
    const roots = rootsOfUnity(length);
    const [from, to] = [complexLine(length), complexLine(count)];
    for (let n = 0; n < batch; n++) {
      for (let frame = 0; frame < frames; frame++) {
        for (let t = 0; t < length; t++) {
          const at = (n * samples + frame * step + t) * width;
          from.re[t] = values[at]! * weights[t]!;
          from.im[t] = width === 2 ? values[at + 1]! * weights[t]! : 0;
        }
        transform(from, to, roots, false);
        for (let k = 0; k < count; k++) {
          const at = ((n * frames + frame) * count + k) * 2;
          result[at] = to.re[k]!;
          result[at + 1] = to.im[k]!;
        }
      }
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};

const windowLength = (window: Operand | null | undefined): Dim | undefined => window?.type.shape?.[0];

function binCount(length: Dim | undefined, { oneSided }: STFTAttributes): Dim {
  if (typeof length !== "number") return length === undefined || oneSided ? unknownDim() : length;
  return oneSided ? Math.floor(length / 2) + 1 : length;
}

function frameCount(samples: number, length: number, step: number): number {
  if (!(step > 0) || !(length > 0) || length > samples)
    throw new NonzeroError("shape", `frames of ${length}, ${step} apart, in a signal of ${samples}`);
  return Math.floor((samples - length) / step) + 1;
}
