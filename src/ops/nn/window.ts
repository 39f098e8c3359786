import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { addDim, quotientDim, unknownDim } from "./dims.js";

/** The geometry that convolution and pooling share: a window of `kernel` taps that slides over the spatial axes of [N, C, spatial…]. */

export const AUTO_PADS = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"] as const;
export type AutoPad = (typeof AUTO_PADS)[number];

/** ONNX's window attributes as they are written; null where the default depends on the rank or the weight. */
export interface WindowAttributes {
  readonly kernelShape: readonly number[] | null;
  readonly strides: readonly number[] | null;
  readonly dilations: readonly number[] | null;
  /** Begin of each spatial axis, then end of each. */
  readonly pads: readonly number[] | null;
  readonly autoPad: AutoPad;
  /** Output sizes are rounded up, but no window starts in the padding at the end. */
  readonly ceilMode: boolean;
}

/** A window whose every number is known; one entry per spatial axis. */
export interface Window {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

/** Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode. @throws NonzeroError "invalid-model". */
export function windowAttributes(node: Attributes): WindowAttributes {
  const list = (name: string, least: number): readonly number[] | null => {
    const values = node.optional(name, "ints") ?? [];
    if (values.some((v) => v < least)) node.fail(name, `[${values}] has an entry below ${least}`);
    return values.length === 0 ? null : values;
  };
  const autoPad = node.oneOf("auto_pad", AUTO_PADS, "NOTSET");
  return {
    kernelShape: list("kernel_shape", 1),
    strides: list("strides", 1),
    dilations: list("dilations", 1),
    // Negative pads crop; some exporters write them.
    pads: autoPad === "NOTSET" ? list("pads", Number.NEGATIVE_INFINITY) : null,
    autoPad,
    ceilMode: node.flag("ceil_mode"),
  };
}

/** Taps that the window spans along an axis, dilation included. */
export const spanOf = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** Per-axis values of an attribute, `fallback` where it is absent. @throws NonzeroError "shape" when its length is not `count`. */
export function perAxis(
  values: readonly number[] | null,
  count: number,
  fallback: number,
  name: string,
): readonly number[] {
  if (values === null) return new Array<number>(count).fill(fallback);
  if (values.length !== count)
    throw new NonzeroError("shape", `expected ${count} values, found [${values}]`, { field: name });
  return values;
}

/**
 * The window over spatial axes of known sizes `input`. `kernel` is the weight's, or kernel_shape for pooling.
 *
 * Sizes, with span = (kernel − 1)·dilation + 1: explicit pads and VALID give floor((in + pads − span) / stride) + 1;
 * ceil_mode rounds up, less one where the last window would start in the end padding; SAME gives ceil(in / stride)
 * and splits the padding that this needs, the odd one at the end (SAME_UPPER) or the begin (SAME_LOWER).
 * @throws NonzeroError "shape" when ranks do not fit or the window is larger than the padded input.
 */
export function resolveWindow(a: WindowAttributes, input: readonly number[], kernel: readonly number[]): Window {
  const rank = input.length;
  perAxis(kernel, rank, 1, "kernel_shape");
  const strides = perAxis(a.strides, rank, 1, "strides");
  const dilations = perAxis(a.dilations, rank, 1, "dilations");
  const pads = perAxis(a.pads, 2 * rank, 0, "pads");
  const padsBegin: number[] = [];
  const padsEnd: number[] = [];
  const output: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const size = input[axis]!;
    const stride = strides[axis]!;
    const span = spanOf(kernel[axis]!, dilations[axis]!);
    if (a.autoPad === "SAME_UPPER" || a.autoPad === "SAME_LOWER") {
      const count = Math.ceil(size / stride);
      const total = Math.max(0, (count - 1) * stride + span - size);
      const small = Math.floor(total / 2);
      padsBegin.push(a.autoPad === "SAME_UPPER" ? small : total - small);
      padsEnd.push(a.autoPad === "SAME_UPPER" ? total - small : small);
      output.push(count);
      continue;
    }
    const begin = pads[axis]!;
    const end = pads[rank + axis]!;
    const room = size + begin + end - span;
    if (room < 0)
      throw new NonzeroError(
        "shape",
        `a window of ${span} does not fit in ${size} + ${begin} + ${end} along spatial axis ${axis}`,
      );
    padsBegin.push(begin);
    padsEnd.push(end);
    output.push(
      1 +
        (a.ceilMode
          ? Math.min(Math.ceil(room / stride), Math.floor((size + begin - 1) / stride))
          : Math.floor(room / stride)),
    );
  }
  return { input, output, kernel, strides, dilations, padsBegin, padsEnd };
}

/** Output sizes where some input or kernel sizes may be names. */
export function windowDims(a: WindowAttributes, input: readonly Dim[], kernel: readonly Dim[]): Dim[] {
  const rank = input.length;
  perAxis(a.kernelShape, rank, 1, "kernel_shape");
  const strides = perAxis(a.strides, rank, 1, "strides");
  const dilations = perAxis(a.dilations, rank, 1, "dilations");
  const pads = perAxis(a.pads, 2 * rank, 0, "pads");
  if (kernel.length !== rank) throw new NonzeroError("shape", `a kernel [${kernel}] over ${rank} spatial axes`);
  return input.map((size, axis) => {
    const taps = kernel[axis]!;
    const stride = strides[axis]!;
    const begin = pads[axis]!;
    const end = pads[rank + axis]!;
    if (typeof size === "number" && typeof taps === "number") {
      const one = { ...a, kernelShape: null, strides: [stride], dilations: [dilations[axis]!], pads: [begin, end] };
      return resolveWindow(one, [size], [taps]).output[0]!;
    }
    if (a.autoPad === "SAME_UPPER" || a.autoPad === "SAME_LOWER") return quotientDim(size, stride, "ceil");
    if (typeof taps === "string") return unknownDim(`window(${size},${taps})`);
    const span = spanOf(taps, dilations[axis]!);
    const room = addDim(size, begin + end - span);
    // With stride 1 nothing is rounded, and no window starts in an end padding that is shorter than it.
    if (stride === 1 && (!a.ceilMode || end < span)) return addDim(size, begin + end - span + 1);
    if (!a.ceilMode) return addDim(quotientDim(room, stride, "floor"), 1);
    const last = quotientDim(addDim(size, begin - 1), stride, "floor");
    return `min(${quotientDim(room, stride, "ceil")},${last})+1`;
  });
}
