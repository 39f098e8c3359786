import { NonzeroError, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { cubicKernel } from "./interpolation.js";

export interface GridSampleAttributes {
  readonly mode: "nearest" | "linear" | "cubic";
  readonly paddingMode: "zeros" | "border" | "reflection";
  readonly alignCorners: boolean;
}

/** `x` mirrored at `low` and `high` until it lies between them. */
function reflect(x: number, low: number, high: number): number {
  const range = high - low;
  if (range === 0) return low;
  const away = x < low ? low - x : x > high ? x - high : 0;
  if (away === 0) return x;
  const turns = Math.floor(away / range);
  const rest = away - turns * range;
  return (turns % 2 === 0) === x < low ? low + rest : high - rest;
}

const roundHalfEven = (x: number): number => {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (Math.abs(floor) % 2) : Math.round(x);
};

/** Taps of one axis of `size` elements at normalized coordinate `t`: indices (−1 for a zero) and weights into `index` and `weight`. */
function axisTaps(t: number, size: number, a: GridSampleAttributes, index: Int32Array, weight: Float64Array): void {
  const low = a.alignCorners ? 0 : -0.5;
  const high = a.alignCorners ? size - 1 : size - 0.5;
  let x = Math.fround(a.alignCorners ? ((t + 1) / 2) * (size - 1) : ((t + 1) * size - 1) / 2);
  if (a.mode === "nearest") x = roundHalfEven(x);
  if (x < low || x > high) {
    // Cubic taps are clamped one by one, from where they are (PyTorch, onnxruntime).
    if (a.paddingMode === "border" && a.mode !== "cubic") x = Math.min(Math.max(x, 0), size - 1);
    else if (a.paddingMode === "reflection") x = reflect(x, low, high);
  }
  const count = index.length;
  const first = count === 1 ? x : Math.floor(x) - (count === 4 ? 1 : 0);
  for (let k = 0; k < count; k++) {
    const at = first + k;
    weight[k] = count === 1 ? 1 : count === 2 ? 1 - Math.abs(x - at) : cubicKernel(x - at, -0.75);
    if (at >= 0 && at < size) index[k] = at;
    else if (a.paddingMode === "zeros" || !Number.isFinite(at)) index[k] = -1;
    else if (a.paddingMode === "border") index[k] = at < 0 ? 0 : size - 1;
    else index[k] = Math.trunc(reflect(at, low, high));
  }
}

/**
 * ONNX GridSample: X [N, C, D1 … Dr] sampled where grid [N, O1 … Or, r] says, coordinates from −1 to 1 and innermost axis
 * first, to [N, C, O1 … Or]; any r. Coordinates are rounded to float32 before they are used, as PyTorch has them.
 */
export const gridSample: Operator<GridSampleAttributes> = {
  name: "GridSample",
  domain: "",
  attributes: (node) => {
    const mode = node.oneOf("mode", ["bilinear", "bicubic", "linear", "cubic", "nearest"], "linear");
    return {
      mode: mode === "bilinear" ? "linear" : mode === "bicubic" ? "cubic" : mode,
      paddingMode: node.oneOf("padding_mode", ["zeros", "border", "reflection"], "zeros"),
      alignCorners: node.flag("align_corners"),
    };
  },
  infer: (inputs) => {
    const [x, grid] = [need(inputs, 0).type, need(inputs, 1).type];
    const shape =
      x.shape === null || grid.shape === null ? null : [x.shape[0]!, x.shape[1]!, ...grid.shape.slice(1, -1)];
    return [{ dtype: x.dtype, shape }];
  },
  evaluate: (inputs, a) => {
    const [x, grid] = [need(inputs, 0), need(inputs, 1)];
    const rank = x.shape.length - 2;
    if (rank < 1 || grid.shape.length !== rank + 2 || grid.shape[rank + 1] !== rank || grid.shape[0] !== x.shape[0])
      throw new NonzeroError("shape", `a grid of shape [${grid.shape}] for X of shape [${x.shape}]`);
    const [batch, channels] = x.shape as [number, number];
    const sizes = x.shape.slice(2);
    const plane = sizeOf(sizes);
    const strides = stridesOf(sizes);
    const shape = [batch, channels, ...grid.shape.slice(1, -1)];
    const points = sizeOf(shape.slice(2));
    const perAxis = { nearest: 1, linear: 2, cubic: 4 }[a.mode];
    const indices = sizes.map(() => new Int32Array(perAxis));
    const weights = sizes.map(() => new Float64Array(perAxis));
    const taps = perAxis ** rank;
    const at = new Int32Array(taps);
    const factor = new Float64Array(taps);
    const values = x.numbers();
    const coordinates = grid.numbers();
    const result = numbersFor(x.dtype, sizeOf(shape));
    for (let n = 0; n < batch; n++) {
      for (let point = 0; point < points; point++) {
        for (let axis = 0; axis < rank; axis++) {
          const t = coordinates[(n * points + point) * rank + (rank - 1 - axis)]!;
          axisTaps(t, sizes[axis]!, a, indices[axis]!, weights[axis]!);
        }
        for (let tap = 0; tap < taps; tap++) {
          at[tap] = 0;
          factor[tap] = 1;
          let rest = tap;
          for (let axis = rank - 1; axis >= 0; axis--) {
            const k = rest % perAxis;
            rest = Math.floor(rest / perAxis);
            const index = indices[axis]![k]!;
            if (index < 0) factor[tap] = 0;
            else at[tap]! += index * strides[axis]!;
            factor[tap]! *= weights[axis]![k]!;
          }
        }
        for (let c = 0; c < channels; c++) {
          const from = (n * channels + c) * plane;
          let sum = 0;
          for (let tap = 0; tap < taps; tap++) if (factor[tap] !== 0) sum += factor[tap]! * values[from + at[tap]!]!;
          result[(n * channels + c) * points + point] = sum;
        }
      }
    }
    return [Tensor.from(x.dtype, shape, result)];
  },
};
