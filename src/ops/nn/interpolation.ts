/** Interpolation along one axis: which inputs each output position reads, with which weights. */

export const COORDINATE_MODES = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
  "tf_crop_and_resize",
] as const;
export type CoordinateMode = (typeof COORDINATE_MODES)[number];

export const NEAREST_MODES = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] as const;
/** `simple` is what Resize-10 runtimes do: floor when enlarging, ceil when shrinking. */
export type NearestMode = (typeof NEAREST_MODES)[number] | "simple";

export interface InterpolationOptions {
  readonly mode: "nearest" | "linear" | "cubic";
  readonly coordinateMode: CoordinateMode;
  readonly nearestMode: NearestMode;
  readonly cubicCoefficient: number;
  readonly excludeOutside: boolean;
  readonly antialias: boolean;
}

/** One resized axis: `input` elements become `output`. */
export interface AxisScaling {
  readonly input: number;
  readonly output: number;
  /** output/input, or what `scales` says where that is fractional. */
  readonly scale: number;
  /** Crop in units of the axis, for tf_crop_and_resize. */
  readonly roi: readonly [number, number];
}

/** Output i is Σ over k < taps of weights[i·taps + k] · x[indices[i·taps + k]]; `outside[i]` marks positions to extrapolate. */
export interface AxisWeights {
  readonly taps: number;
  readonly indices: Int32Array;
  readonly weights: Float64Array;
  readonly outside: Uint8Array;
}

/** Where output position `x` lies on the input's axis: ONNX's coordinate_transformation_mode. */
export function sourceCoordinate(x: number, { input, output, scale, roi }: AxisScaling, mode: CoordinateMode): number {
  const length = scale * input;
  switch (mode) {
    case "half_pixel":
      return (x + 0.5) / scale - 0.5;
    case "half_pixel_symmetric":
      return (input / 2) * (1 - output / length) + (x + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return output > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case "align_corners":
      return length > 1 ? (x * (input - 1)) / (length - 1) : 0;
    case "asymmetric":
      return x / scale;
    case "tf_half_pixel_for_nn":
      return (x + 0.5) / scale;
    case "tf_crop_and_resize":
      return length > 1
        ? roi[0] * (input - 1) + (x * (roi[1] - roi[0]) * (input - 1)) / (length - 1)
        : 0.5 * (roi[0] + roi[1]) * (input - 1);
  }
}

/** The input nearest to coordinate `x`; may be outside the axis. */
export function nearestIndex(x: number, mode: NearestMode, scale: number): number {
  switch (mode) {
    case "round_prefer_floor":
      return Math.ceil(x - 0.5);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    case "simple":
      return scale < 1 ? Math.ceil(x) : Math.floor(x);
  }
}

/** Keys' cubic convolution kernel with coefficient `a`, at distance `x`; 0 from 2 on (https://ieeexplore.ieee.org/document/1163711). */
export function cubicKernel(x: number, a: number): number {
  const d = Math.abs(x);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

const linearKernel = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** Indices (clamped to the axis) and weights of every output position along one axis. */
export function axisWeights(axis: AxisScaling, options: InterpolationOptions): AxisWeights {
  const { input, output, scale } = axis;
  const { mode, coordinateMode, excludeOutside, cubicCoefficient } = options;
  // Antialiasing stretches the filter when the axis shrinks; it then covers more inputs.
  const stretch = options.antialias ? Math.min(scale, 1) : 1;
  const reach = mode === "nearest" ? 0 : (mode === "linear" ? 1 : 2) / stretch;
  const first = Math.floor(-reach) + 1;
  const taps = mode === "nearest" ? 1 : 2 - 2 * first;
  const indices = new Int32Array(output * taps);
  const weights = new Float64Array(output * taps);
  const outside = new Uint8Array(output);
  for (let o = 0; o < output; o++) {
    const x = sourceCoordinate(o, axis, coordinateMode);
    if (coordinateMode === "tf_crop_and_resize" && (x < 0 || x > input - 1)) outside[o] = 1;
    if (mode === "nearest") {
      indices[o] = Math.min(Math.max(nearestIndex(x, options.nearestMode, scale), 0), input - 1);
      weights[o] = 1;
      continue;
    }
    const start = Math.ceil(x) - 1 + first; // the neighbour before x, and for x on an input the one before that
    let total = 0;
    for (let k = 0; k < taps; k++) {
      const at = start + k;
      const distance = (at - x) * stretch;
      const weight =
        excludeOutside && (at < 0 || at >= input)
          ? 0
          : mode === "linear"
            ? linearKernel(distance)
            : cubicKernel(distance, cubicCoefficient);
      indices[o * taps + k] = Math.min(Math.max(at, 0), input - 1);
      weights[o * taps + k] = weight;
      total += weight;
    }
    if ((excludeOutside || options.antialias) && total !== 0)
      for (let k = 0; k < taps; k++) weights[o * taps + k]! /= total;
  }
  return { taps, indices, weights, outside };
}
