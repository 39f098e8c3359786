import { type LineFunction, normalized } from "./normalized.js";

const logSoftmaxLine: LineFunction = (x, out, start, stride, count) => {
  const end = start + count * stride;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = start; i < end; i += stride) max = Math.max(max, x[i]!);
  let sum = 0;
  for (let i = start; i < end; i += stride) sum += Math.exp(x[i]! - max);
  const log = Math.log(sum);
  for (let i = start; i < end; i += stride) out[i] = x[i]! - max - log;
};

/** ONNX LogSoftmax: x - log Σ e^x along an axis of a float tensor (over the flattened rows before opset 13). */
export const logSoftmax = normalized("LogSoftmax", logSoftmaxLine);
