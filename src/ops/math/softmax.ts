import { type LineFunction, normalized } from "./normalized.js";

const softmaxLine: LineFunction = (x, out, start, stride, count) => {
  const end = start + count * stride;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += stride) max = Math.max(max, x[i]!);
  let sum = 0;
  for (let i = start; i < end; i += stride) {
    const e = Math.exp(x[i]! - max);
    out[i] = e;
    sum += e;
  }
  for (let i = start; i < end; i += stride) out[i] = out[i]! / sum;
};

/** ONNX Softmax: e^x / Σ e^x along an axis of a float tensor (over the flattened rows before opset 13). */
export const softmax = normalized("Softmax", softmaxLine);
