import type { Dim } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, type Tensor } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { listLength, unknownDim, unknownDims } from "./dims.js";
import { cut, take } from "./move.js";

interface Bounds {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

interface SliceAttributes {
  /** Before opset 10; null when in inputs 1 to 4. */
  readonly bounds: Bounds | null;
}

/**
 * ONNX Slice: x[start:end:step] along the given axes (attributes before opset 10, inputs starts, ends, axes, steps since).
 * As NumPy's, but that a start before the axis is its first element for a negative step too.
 */
export const slice: Operator<SliceAttributes> = {
  name: "Slice",
  domain: "",
  shapeInputs: [1, 2, 3, 4],
  attributes(node) {
    if (node.version >= 10) return { bounds: null };
    const axes = node.optional("axes", "ints");
    return { bounds: { starts: node.ints("starts"), ends: node.ints("ends"), axes, steps: undefined } };
  },
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    const bounds = a.bounds ?? knownBounds(inputs);
    return [{ dtype, shape: bounds ? sliced(shape, bounds) : partlySliced(shape, inputs) }];
  },
  evaluate(inputs, a) {
    let x = need(inputs, 0);
    const list = (i: number): number[] | undefined => (inputs[i] == null ? undefined : intsOf(inputs[i] as Tensor));
    const bounds = a.bounds ?? {
      starts: intsOf(need(inputs, 1)),
      ends: intsOf(need(inputs, 2)),
      axes: list(3),
      steps: list(4),
    };
    for (const { axis, start, end, step } of cuts(bounds, x.shape.length)) {
      const dim = x.shape[axis]!;
      const first = firstIndex(start, step, dim);
      const count = sliceLength(start, end, step, dim);
      if (step === 1) x = cut(x, axis, count === 0 ? 0 : first, count);
      else
        x = take(
          x,
          axis,
          Array.from({ length: count }, (_, i) => first + i * step),
        );
    }
    return [x];
  },
};

/** The bounds where all inputs that are there are known. */
function knownBounds(inputs: readonly (Operand | null)[]): Bounds | null {
  const starts = knownInts(need(inputs, 1));
  const ends = knownInts(need(inputs, 2));
  const axes = knownInts(inputs[3]);
  const steps = knownInts(inputs[4]);
  if (!starts || !ends || (inputs[3] != null && !axes) || (inputs[4] != null && !steps)) return null;
  return { starts, ends, axes, steps };
}

/** The axes that are not sliced keep their dimensions. */
function partlySliced(shape: readonly Dim[], inputs: readonly (Operand | null)[]): Dim[] {
  const count = listLength(need(inputs, 1));
  const axes =
    knownInts(inputs[3]) ?? (inputs[3] == null && count !== undefined ? [...Array(count).keys()] : undefined);
  if (axes === undefined) return unknownDims(shape.length);
  const cutAxes = axes.map((axis) => normalizeAxis(axis, shape.length));
  return shape.map((dim, axis) => (cutAxes.includes(axis) ? unknownDim() : dim));
}

function sliced(shape: readonly Dim[], bounds: Bounds): Dim[] {
  const result = [...shape];
  for (const { axis, start, end, step } of cuts(bounds, shape.length)) {
    const dim = result[axis]!;
    const all = start === 0 && step === 1 && end >= 2 ** 31 - 1;
    if (typeof dim === "number") result[axis] = sliceLength(start, end, step, dim);
    else if (!all) result[axis] = unknownDim();
  }
  return result;
}

function cuts(bounds: Bounds, rank: number): { axis: number; start: number; end: number; step: number }[] {
  const { starts, ends, axes, steps } = bounds;
  for (const list of [ends, axes, steps]) {
    if (list !== undefined && list.length !== starts.length)
      throw new NonzeroError("shape", `${starts.length} starts beside a list of ${list.length}`);
  }
  return starts.map((start, i) => {
    const step = steps?.[i] ?? 1;
    if (step === 0) throw new NonzeroError("shape", "the step is 0", { field: "steps" });
    return { axis: normalizeAxis(axes?.[i] ?? i, rank), start, end: ends[i]!, step };
  });
}

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

function firstIndex(start: number, step: number, dim: number): number {
  const from = start < 0 ? start + dim : start;
  return step > 0 ? clamp(from, 0, dim) : clamp(from, 0, dim - 1);
}

/** How many indices of an axis of length `dim` the slice start:end:step holds. */
export function sliceLength(start: number, end: number, step: number, dim: number): number {
  const to = end < 0 ? end + dim : end;
  const last = step > 0 ? clamp(to, 0, dim) : clamp(to, -1, dim - 1);
  return Math.max(0, Math.ceil((last - firstIndex(start, step, dim)) / step));
}
