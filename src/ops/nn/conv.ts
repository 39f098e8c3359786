import type { Dim, ValueType } from "../../graph/index.js";
import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { type Taps, tapsOf } from "./taps.js";
import { resolveWindow, type Window, type WindowAttributes, windowAttributes, windowDims } from "./window.js";

export interface ConvAttributes extends WindowAttributes {
  readonly group: number;
}

export function convAttributes(node: Attributes): ConvAttributes {
  const group = node.int("group", 1);
  if (group < 1) node.fail("group", `${group} is below 1`);
  return { ...windowAttributes(node), ceilMode: false, group };
}

/** The window of a convolution of x [N, C, spatial…] with w [O, C/group, kernel…]. @throws NonzeroError "shape" when they do not fit. */
export function convWindow(x: readonly number[], w: readonly number[], a: ConvAttributes): Window {
  checkConv(x, w, a);
  return resolveWindow(a, x.slice(2), w.slice(2));
}

/** Type of Conv's output; shared with its quantized and fused kin. @throws NonzeroError "shape". */
export function inferConv(x: readonly Dim[] | null, w: readonly Dim[] | null, a: ConvAttributes): Dim[] | null {
  if (x !== null && w !== null) {
    checkConv(x, w, a);
    return [x[0]!, w[0]!, ...windowDims(a, x.slice(2), w.slice(2))];
  }
  if (x !== null && a.kernelShape !== null) {
    if (x.length !== a.kernelShape.length + 2)
      throw new NonzeroError("shape", `x of shape [${x}] with a kernel [${a.kernelShape}]`);
    return null;
  }
  return null;
}

function checkConv(x: readonly Dim[], w: readonly Dim[], a: ConvAttributes): void {
  const fail = (reason: string): never => {
    throw new NonzeroError("shape", `${reason}: x is [${x}], the weight [${w}], group ${a.group}`);
  };
  if (x.length < 3 || x.length !== w.length) fail("Conv takes x [N, C, spatial…] and a weight of the same rank");
  if (typeof x[1] === "number" && typeof w[1] === "number" && x[1] !== w[1] * a.group)
    fail("the channels do not fit the weight");
  if (typeof w[0] === "number" && w[0] % a.group !== 0) fail("the outputs are no multiple of group");
  a.kernelShape?.forEach((k, axis) => {
    const have = w[axis + 2];
    if (typeof have === "number" && have !== k) fail(`kernel_shape [${a.kernelShape}] is not the weight's`);
  });
}

/**
 * Convolution of x [N, C, input…] with w [O, C/group, kernel…], plus bias [O]. Sums are doubles, rounded once when they
 * are stored in `result` [N, O, output…].
 */
export function convolve(
  x: ArrayLike<number>,
  batch: number,
  channels: number,
  w: ArrayLike<number>,
  outputs: number,
  group: number,
  bias: ArrayLike<number> | null,
  window: Window,
  result: Float32Array | Float64Array,
): void {
  const taps = tapsOf(window);
  const inputSize = sizeOf(window.input);
  const outputSize = sizeOf(window.output);
  const perGroup = channels / group;
  const outputsPerGroup = outputs / group;
  const sums = new Float64Array(outputSize);
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outputs; o++) {
      sums.fill(bias === null ? 0 : bias[o]!);
      const firstChannel = n * channels + Math.floor(o / outputsPerGroup) * perGroup;
      for (let c = 0; c < perGroup; c++)
        correlate(x, (firstChannel + c) * inputSize, w, (o * perGroup + c) * taps.count, taps, sums);
      result.set(sums, (n * outputs + o) * outputSize);
    }
  }
}

/** sums[out] += Σ over taps of w[tap] · x[in], for one input plane and one kernel plane. */
function correlate(
  x: ArrayLike<number>,
  xAt: number,
  w: ArrayLike<number>,
  wAt: number,
  taps: Taps,
  sums: Float64Array,
): void {
  const { count, step, starts, out, input, length } = taps;
  for (let tap = 0; tap < count; tap++) {
    const weight = w[wAt + tap]!;
    const end = starts[tap + 1]!;
    for (let run = starts[tap]!; run < end; run++) {
      const to = out[run]!;
      const from = xAt + input[run]!;
      const n = length[run]!;
      for (let i = 0; i < n; i++) sums[to + i]! += weight * x[from + i * step]!;
    }
  }
}

/** ONNX Conv on tensors; x, w and the bias share a float dtype. */
export function evaluateConv(x: Tensor, w: Tensor, bias: Tensor | null, a: ConvAttributes): Tensor {
  const window = convWindow(x.shape, w.shape, a);
  if (bias !== null && bias.size !== w.shape[0])
    throw new NonzeroError("shape", `a bias of shape [${bias.shape}] for ${w.shape[0]} outputs`);
  const shape = [x.shape[0]!, w.shape[0]!, ...window.output];
  const result = numbersFor(x.dtype, sizeOf(shape));
  convolve(
    x.numbers(),
    shape[0]!,
    x.shape[1]!,
    w.numbers(),
    shape[1]!,
    a.group,
    bias === null ? null : bias.numbers(),
    window,
    result,
  );
  return Tensor.from(x.dtype, shape, result);
}

export const convType = (x: Operand, w: Operand, a: ConvAttributes): ValueType => ({
  dtype: x.type.dtype,
  shape: inferConv(x.type.shape, w.type.shape, a),
});

/** ONNX Conv: x [N, C, spatial…], weight [O, C/group, kernel…], optional bias [O] to [N, O, spatial…]; any number of spatial axes. */
export const conv: Operator<ConvAttributes> = {
  name: "Conv",
  domain: "",
  attributes: convAttributes,
  infer: (inputs, a) => [convType(need(inputs, 0), need(inputs, 1), a)],
  evaluate: (inputs, a) => [evaluateConv(need(inputs, 0), need(inputs, 1), inputs[2] ?? null, a)],
};
