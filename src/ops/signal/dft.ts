import type { Dim } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { splitAtAxis } from "../reduction.js";
import { checkShape, mapDim, unknownDims } from "../shape/dims.js";
import { complexLine, rootsOfUnity, transform } from "./fourier.js";

interface DFTAttributes {
  /** Before opset 20; null when in input 2 (−2 by default). */
  readonly axis: number | null;
  readonly inverse: boolean;
  readonly oneSided: boolean;
}

/**
 * ONNX DFT: the discrete Fourier transform along an axis of a real [..., 1] or complex [..., 2] tensor. Input 1 is its
 * length, to which the axis is cut or padded with zeros. Forward and `onesided` takes a real signal to its first
 * length / 2 + 1 bins; inverse and `onesided` takes those to the real signal [..., 1]; all else gives [..., 2].
 */
export const dft: Operator<DFTAttributes> = {
  name: "DFT",
  domain: "",
  shapeInputs: [1, 2],
  attributes: (node) => ({
    axis: node.version < 20 ? node.int("axis", 1) : null,
    inverse: node.flag("inverse"),
    oneSided: node.flag("onesided"),
  }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    const axis = a.axis ?? (inputs[2] == null ? -2 : inputs[2].value?.item());
    if (shape === null || axis === undefined)
      return [{ dtype, shape: shape === null ? null : [...unknownDims(shape.length - 1), parts(a)] }];
    const at = signalAxis(axis, shape.length);
    const length = inputs[1] == null ? undefined : (inputs[1].value?.item() ?? "unknown");
    const dim: Dim =
      length === "unknown" ? unknownDims(1)[0]! : mapDim(length ?? shape[at]!, (n) => bins(n, length, a));
    return [{ dtype, shape: [...shape.slice(0, -1).with(at, dim), parts(a)] }];
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const axis = signalAxis(a.axis ?? inputs[2]?.item() ?? -2, x.shape.length);
    const given = inputs[1]?.item();
    const real = x.shape.at(-1) === 1;
    if (!real && x.shape.at(-1) !== 2) throw new NonzeroError("shape", `[${x.shape}] is neither real nor complex`);
    if (a.oneSided && real === a.inverse)
      throw new NonzeroError("shape", `a one-sided transform of [${x.shape}]`, { field: "onesided" });

    const restored = a.oneSided && a.inverse;
    const length = given ?? (restored ? 2 * (x.shape[axis]! - 1) : x.shape[axis]!);
    const { outer, dim, inner } = splitAtAxis(x.shape.slice(0, -1), axis);
    const out = { dim: bins(x.shape[axis]!, given, a), parts: parts(a) };
    const shape = checkShape([...x.shape.slice(0, -1).with(axis, out.dim), out.parts]);
    const values = x.numbers();
    const result = numbersFor(x.dtype, sizeOf(shape));
    const roots = rootsOfUnity(length);
    const [from, to] = [complexLine(length), complexLine(out.dim)];
    const width = real ? 1 : 2;
    const read = Math.min(dim, restored ? Math.floor(length / 2) + 1 : length);
    for (let o = 0; o < outer; o++) {
      for (let j = 0; j < inner; j++) {
        for (let t = 0; t < read; t++) {
          const at = ((o * dim + t) * inner + j) * width;
          from.re[t] = values[at]!;
          from.im[t] = real ? 0 : values[at + 1]!;
          if (restored && t > 0 && 2 * t < length) {
            from.re[length - t] = from.re[t]!; // X[n − t] is the conjugate of X[t]
            from.im[length - t] = -from.im[t]!;
          }
        }
        transform(from, to, roots, a.inverse);
        for (let k = 0; k < out.dim; k++) {
          const at = ((o * out.dim + k) * inner + j) * out.parts;
          result[at] = to.re[k]!;
          if (out.parts === 2) result[at + 1] = to.im[k]!;
        }
      }
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};

const parts = (a: DFTAttributes): 1 | 2 => (a.oneSided && a.inverse ? 1 : 2);

/** Length of the result's axis, from that of the input and the length that is asked for. */
function bins(dim: number, asked: number | undefined, a: DFTAttributes): number {
  if (asked !== undefined && !(asked > 0))
    throw new NonzeroError("shape", `${asked} is no length`, { field: "dft_length" });
  if (a.oneSided && a.inverse) return asked ?? 2 * (dim - 1);
  return a.oneSided ? Math.floor((asked ?? dim) / 2) + 1 : (asked ?? dim);
}

/** The last axis holds real and imaginary parts. */
function signalAxis(axis: number, rank: number): number {
  const at = normalizeAxis(axis, rank);
  if (at === rank - 1) throw new NonzeroError("shape", `axis ${axis} is not one of the signal`, { field: "axis" });
  return at;
}
