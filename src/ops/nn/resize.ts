import type { Dim } from "../../graph/index.js";
import { isFloat, NonzeroError, normalizeAxis, sizeOf, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { elementsOf, gather, tensorOf } from "../elementwise.js";
import { isConcrete, knownInts, need } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { scaleDim, unknownDim } from "./dims.js";
import {
  type AxisScaling,
  type AxisWeights,
  axisWeights,
  COORDINATE_MODES,
  type InterpolationOptions,
  NEAREST_MODES,
} from "./interpolation.js";

export interface ResizeAttributes extends InterpolationOptions {
  /** Axes that roi, scales and sizes speak of; null for all. */
  readonly axes: readonly number[] | null;
  readonly policy: "stretch" | "not_larger" | "not_smaller";
  readonly extrapolationValue: number;
  /** Where roi, scales and sizes are among the inputs; −1 where this version has none. */
  readonly roiAt: number;
  readonly scalesAt: number;
  readonly sizesAt: number;
}

function resizeAttributes(node: Attributes): ResizeAttributes {
  const mode = node.oneOf("mode", ["nearest", "linear", "cubic"], "nearest");
  const common = {
    mode,
    cubicCoefficient: node.float("cubic_coeff_a", -0.75),
    excludeOutside: node.flag("exclude_outside"),
    antialias: node.flag("antialias") && mode !== "nearest",
    axes: node.optional("axes", "ints") ?? null,
    policy: node.oneOf("keep_aspect_ratio_policy", ["stretch", "not_larger", "not_smaller"], "stretch"),
    extrapolationValue: node.float("extrapolation_value", 0),
  };
  if (node.version < 11)
    return { ...common, coordinateMode: "asymmetric", nearestMode: "simple", roiAt: -1, scalesAt: 1, sizesAt: -1 };
  return {
    ...common,
    coordinateMode: node.oneOf("coordinate_transformation_mode", COORDINATE_MODES, "half_pixel"),
    nearestMode: node.oneOf("nearest_mode", NEAREST_MODES, "round_prefer_floor"),
    roiAt: 1,
    scalesAt: 2,
    sizesAt: 3,
  };
}

/** The axes that are resized, from the front. */
function resizedAxes(a: ResizeAttributes, rank: number): number[] {
  if (a.axes === null) return Array.from({ length: rank }, (_, axis) => axis);
  return a.axes.map((axis) => normalizeAxis(axis, rank, "axes"));
}

const fail = (field: string, reason: string): never => {
  throw new NonzeroError("shape", reason, { field });
};

/** Size that scale gives an axis, rounded as onnxruntime and the exporters do: the product in float32, then down. */
const scaledSize = (size: number, scale: number): number => Math.floor(Math.fround(size * scale));

/**
 * Scale and output size of each axis of x from `scales` or `sizes` (either null), one per resized axis.
 * @throws NonzeroError "shape" when their number does not fit, or a scale is not positive.
 */
export function resizedAxisScalings(
  x: readonly number[],
  scales: readonly number[] | null,
  sizes: readonly number[] | null,
  roi: readonly number[] | null,
  a: ResizeAttributes,
): AxisScaling[] {
  const axes = resizedAxes(a, x.length);
  const result: AxisScaling[] = x.map((input) => ({ input, output: input, scale: 1, roi: [0, 1] }));
  const given = sizes ?? scales;
  if (given === null || given.length !== axes.length)
    return fail(
      sizes === null ? "scales" : "sizes",
      `expected ${axes.length} values, found ${given?.length ?? "none"}`,
    );
  if (given.some((v) => !(v >= 0 && Number.isFinite(v))) || (sizes === null && given.includes(0)))
    fail(sizes === null ? "scales" : "sizes", `[${given}] are no sizes`);
  if (roi !== null && roi.length > 0 && roi.length !== 2 * axes.length)
    fail("roi", `expected ${2 * axes.length} values, found ${roi.length}`);
  let common: number | null = null;
  if (sizes !== null && a.policy !== "stretch") {
    const ratios = axes.map((axis, i) => sizes[i]! / x[axis]!);
    common = a.policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  }
  axes.forEach((axis, i) => {
    const input = x[axis]!;
    const crop: readonly [number, number] =
      roi === null || roi.length === 0 ? [0, 1] : [roi[i]!, roi[axes.length + i]!];
    if (sizes === null) {
      const scale = scales![i]!;
      result[axis] = { input, output: scaledSize(input, scale), scale, roi: crop };
    } else if (common !== null) {
      result[axis] = { input, output: Math.floor(common * input + 0.5), scale: common, roi: crop };
    } else result[axis] = { input, output: sizes[i]!, scale: sizes[i]! / input, roi: crop };
  });
  result.forEach(({ input, output }, axis) => {
    if (input === 0 && output > 0) fail("sizes", `axis ${axis} is empty and cannot grow to ${output}`);
  });
  return result;
}

/** Resizes x axis by axis; interpolated integers are rounded half to even and kept in range. */
export function resizeTensor(x: Tensor, scalings: readonly AxisScaling[], a: ResizeAttributes): Tensor {
  let shape = [...x.shape];
  const cropped = a.coordinateMode === "tf_crop_and_resize";
  const plan = scalings
    .map((scaling, axis) => ({ axis, scaling }))
    .filter(
      ({ scaling: s }) => s.scale !== 1 || s.output !== s.input || (cropped && (s.roi[0] !== 0 || s.roi[1] !== 1)),
    );
  if (a.mode === "nearest" && !cropped) {
    let elements = elementsOf(x);
    for (const { axis, scaling } of plan) {
      elements = gather(elements, nearestOffsets(shape, axis, axisWeights(scaling, a)));
      shape = shape.with(axis, scaling.output);
    }
    return tensorOf(x.dtype, shape, elements);
  }
  let values: Float64Array = Float64Array.from(x.numbers());
  for (const { axis, scaling } of plan) {
    values = interpolateAxis(values, shape, axis, axisWeights(scaling, a), a.extrapolationValue);
    shape = shape.with(axis, scaling.output);
  }
  if (isFloat(x.dtype)) return Tensor.from(x.dtype, shape, values);
  return Tensor.from(x.dtype, shape, saturated(x, values));
}

/** Where each output element lies in `shape` when `axis` reads its nearest input. */
function nearestOffsets(shape: readonly number[], axis: number, { indices }: AxisWeights): Int32Array {
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const offsets = new Int32Array(outer * indices.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < indices.length; j++) {
      const from = (o * shape[axis]! + indices[j]!) * inner;
      for (let i = 0; i < inner; i++) offsets[to++] = from + i;
    }
  }
  return offsets;
}

function interpolateAxis(
  values: Float64Array,
  shape: readonly number[],
  axis: number,
  { taps, indices, weights, outside }: AxisWeights,
  extrapolationValue: number,
): Float64Array {
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const size = shape[axis]!;
  const output = outside.length;
  const result = new Float64Array(outer * output * inner);
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < output; j++) {
      const to = (o * output + j) * inner;
      if (outside[j] === 1) {
        result.fill(extrapolationValue, to, to + inner);
        continue;
      }
      for (let k = j * taps; k < (j + 1) * taps; k++) {
        const weight = weights[k]!;
        if (weight === 0) continue;
        const from = (o * size + indices[k]!) * inner;
        for (let i = 0; i < inner; i++) result[to + i]! += weight * values[from + i]!;
      }
    }
  }
  return result;
}

/** Values rounded half to even and bounded to what x's integer dtype holds. */
function saturated(x: Tensor, values: Float64Array): Float64Array {
  const bits = x.dtype === "bool" ? 1 : Number(x.dtype.replace(/\D/g, ""));
  const signed = x.dtype.startsWith("int");
  const low = signed ? -(2 ** (bits - 1)) : 0;
  const high = 2 ** (signed ? bits - 1 : bits) - 1;
  return values.map((v) => {
    const floor = Math.floor(v);
    const rounded = v - floor === 0.5 ? floor + (Math.abs(floor) % 2) : Math.round(v);
    return Math.min(Math.max(rounded, low), high);
  });
}

/** An input that is present and not an empty stand-in. */
function present<T extends Tensor | Operand>(inputs: readonly (T | null)[], at: number): T | null {
  const input = at < 0 ? null : inputs[at];
  if (input == null) return null;
  const shape = input instanceof Tensor ? input.shape : input.type.shape;
  return shape?.[0] === 0 ? null : input;
}

/** Output dimensions from what is known of scales and sizes. */
export function inferResize(
  shape: readonly Dim[] | null,
  scales: Operand | null,
  sizes: Operand | null,
  a: ResizeAttributes,
): Dim[] | null {
  if (shape === null) return null;
  const factors = scales?.value?.numbers();
  const targets = knownInts(sizes) ?? null;
  const axes = resizedAxes(a, shape.length);
  const unknown = (): Dim[] => shape.map((dim, axis) => (axes.includes(axis) ? unknownDim(`resized(${dim})`) : dim));
  if (sizes !== null ? targets === null : factors === undefined) return unknown();
  const given = targets ?? Array.from(factors!);
  if (isConcrete(shape)) {
    return resizedAxisScalings(shape, targets === null ? given : null, targets, null, a).map(({ output }) => output);
  }
  if (given.length !== axes.length) fail(targets === null ? "scales" : "sizes", `expected ${axes.length} values`);
  if (targets !== null && a.policy !== "stretch") return unknown();
  return shape.map((dim, axis) => {
    const at = axes.indexOf(axis);
    if (at < 0) return dim;
    if (targets !== null) return given[at]!;
    return typeof dim === "number" ? scaledSize(dim, given[at]!) : scaleDim(dim, given[at]!);
  });
}

/**
 * ONNX Resize (opset 10 to 19) of any rank: nearest, linear or cubic interpolation, axis by axis, with the coordinates of
 * `sourceCoordinate`. In opset 10 coordinates are asymmetric and nearest rounds down when enlarging, up when shrinking.
 */
export const resize: Operator<ResizeAttributes> = {
  name: "Resize",
  domain: "",
  attributes: resizeAttributes,
  shapeInputs: [1, 2, 3],
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    return [{ dtype, shape: inferResize(shape, present(inputs, a.scalesAt), present(inputs, a.sizesAt), a) }];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const numbers = (at: number) => {
      const tensor = present(inputs, at);
      return tensor === null ? null : Array.from(tensor.numbers());
    };
    const sizes = numbers(a.sizesAt);
    const scales = sizes === null ? numbers(a.scalesAt) : null;
    return [resizeTensor(x, resizedAxisScalings(x.shape, scales, sizes, numbers(a.roiAt), a), a)];
  },
};
