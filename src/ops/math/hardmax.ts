import { type LineFunction, normalized } from "./normalized.js";

const hardmaxLine: LineFunction = (x, out, start, stride, count) => {
  if (count === 0) return;
  let best = start;
  for (let i = start; i < start + count * stride; i += stride) if (x[i]! > x[best]!) best = i;
  out[best] = 1;
};

/** ONNX Hardmax: 1 at the first largest element along an axis of a float tensor, 0 elsewhere (over the flattened rows before opset 13). */
export const hardmax = normalized("Hardmax", hardmaxLine);
