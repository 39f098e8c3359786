import { NonzeroError, normalizeAxis, Tensor } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { addDims, checkShape, unknownDim, unknownDims } from "./dims.js";
import { take } from "./move.js";

type Mode = "constant" | "reflect" | "edge" | "wrap";

interface PadAttributes {
  readonly mode: Mode;
  /** Before opset 11; null when in inputs 1 and 2. */
  readonly pads: readonly number[] | null;
  readonly value: number;
}

/**
 * ONNX Pad: `pads` [begins…, ends…] elements more (or fewer, when negative) at each end of each axis, or of the axes in
 * input 3. `wrap` is from opset 19.
 */
export const pad: Operator<PadAttributes> = {
  name: "Pad",
  domain: "",
  shapeInputs: [1, 3],
  attributes(node) {
    const modes: readonly Mode[] = ["constant", "reflect", "edge", "wrap"];
    return {
      mode: node.oneOf("mode", node.version < 19 ? modes.slice(0, 3) : modes, "constant"),
      pads: node.version < 11 ? node.ints("pads") : null,
      value: node.version < 11 ? node.float("value", 0) : 0,
    };
  },
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    const pads = a.pads ?? knownInts(need(inputs, 1));
    const axes = knownInts(inputs[3]);
    if (inputs[3] != null && axes === undefined) return [{ dtype, shape: unknownDims(shape.length) }];
    if (pads === undefined) {
      const padded = axes?.map((axis) => normalizeAxis(axis, shape.length));
      return [{ dtype, shape: shape.map((dim, i) => (padded?.includes(i) === false ? dim : unknownDim())) }];
    }
    const sums = padsByAxis(pads, axes, shape.length).map(([begin, end]) => begin + end);
    return [{ dtype, shape: shape.map((dim, axis) => addDims([dim, sums[axis]!])) }];
  },
  evaluate(inputs, a) {
    let x = need(inputs, 0);
    const axes = inputs[3] == null ? undefined : intsOf(inputs[3]);
    const pads = padsByAxis(a.pads ?? intsOf(need(inputs, 1)), axes, x.shape.length);
    checkShape(x.shape.map((dim, axis) => dim + pads[axis]![0] + pads[axis]![1]));
    const fill = inputs[2]?.size ? inputs[2] : a.value === 0 ? undefined : Tensor.scalar(x.dtype, a.value);
    if (fill !== undefined && fill.dtype !== x.dtype)
      throw new NonzeroError("shape", `${fill.dtype} does not pad ${x.dtype}`, { field: "constant_value" });
    pads.forEach(([begin, end], axis) => {
      if (begin !== 0 || end !== 0) x = take(x, axis, paddedIndices(x.shape[axis]!, begin, end, a.mode), fill);
    });
    return [x];
  },
};

function padsByAxis(pads: readonly number[], axes: readonly number[] | undefined, rank: number): [number, number][] {
  const padded = axes ?? [...Array(rank).keys()];
  if (pads.length !== 2 * padded.length)
    throw new NonzeroError("shape", `${pads.length} pads for ${padded.length} axes`, { field: "pads" });
  const result = Array.from({ length: rank }, (): [number, number] => [0, 0]);
  padded.forEach((axis, i) => {
    result[normalizeAxis(axis, rank)] = [pads[i]!, pads[i + padded.length]!];
  });
  return result;
}

/** For each index of a padded axis, the index of the axis of length `dim` that it repeats; -1 where it is the constant. */
export function paddedIndices(dim: number, begin: number, end: number, mode: Mode): Int32Array {
  const first = Math.max(0, -begin); // a negative pad crops before the other end is padded
  const length = Math.max(0, dim + Math.min(0, begin) + Math.min(0, end));
  const result = new Int32Array(dim + begin + end);
  if (length === 0 && mode !== "constant" && result.length > 0)
    throw new NonzeroError("shape", `mode '${mode}' has no element to repeat`, { field: "mode" });
  for (let i = 0; i < result.length; i++) {
    const at = indexIn(i - Math.max(0, begin), length, mode);
    result[i] = at < 0 ? -1 : at + first;
  }
  return result;
}

function indexIn(i: number, length: number, mode: Mode): number {
  if (i >= 0 && i < length) return i;
  switch (mode) {
    case "constant":
      return -1;
    case "edge":
      return i < 0 ? 0 : length - 1;
    case "wrap":
      return ((i % length) + length) % length;
    case "reflect": {
      if (length === 1) return 0;
      const period = 2 * (length - 1);
      const at = ((i % period) + period) % period;
      return at < length ? at : period - at;
    }
  }
}
