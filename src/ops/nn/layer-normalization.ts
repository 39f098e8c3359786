import type { Dim, ValueType } from "../../graph/index.js";
import { type DataType, isFloat, normalizeAxis, sizeOf, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { broadcastValues, numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";

export interface LayerNormalizationAttributes {
  /** First axis that is normalized over; may be negative. */
  readonly axis: number;
  readonly epsilon: number;
  /** Element type of the outputs Mean and InvStdDev. */
  readonly stashType: DataType;
}

export function layerNormalizationAttributes(node: Attributes): LayerNormalizationAttributes {
  const stashType = dtypeOfCode(node.int("stash_type", 1), "stash_type");
  if (!isFloat(stashType)) node.fail("stash_type", `${stashType} is no float type`);
  return { axis: node.int("axis", -1), epsilon: node.float("epsilon", 1e-5), stashType };
}

/** Type of the statistics of an input: its axes before `axis`, then ones. */
export function statisticsType(shape: readonly Dim[] | null, a: LayerNormalizationAttributes): ValueType {
  if (shape === null) return { dtype: a.stashType, shape: null };
  const axis = normalizeAxis(a.axis, shape.length);
  return { dtype: a.stashType, shape: shape.map((dim, i) => (i < axis ? dim : 1)) };
}

export interface Normalized {
  readonly result: Float32Array | Float64Array;
  readonly mean: Float64Array;
  readonly inverse: Float64Array;
}

/**
 * Rows of `size` values brought to variance 1 and, when `centered`, mean 0; then times scale and plus bias, whose offset
 * for element i is given by the arrays being full-sized or one row long. `inverse` is 1 / √(variance + epsilon), per row.
 */
export function normalizeRows(
  values: ArrayLike<number>,
  size: number,
  scale: ArrayLike<number> | null,
  bias: ArrayLike<number> | null,
  epsilon: number,
  centered: boolean,
  result: Float32Array | Float64Array,
): Normalized {
  const rows = size === 0 ? 0 : values.length / size;
  const mean = new Float64Array(rows);
  const inverse = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const at = row * size;
    let center = 0;
    if (centered) {
      for (let i = at; i < at + size; i++) center += values[i]!;
      center /= size;
    }
    let squares = 0;
    for (let i = at; i < at + size; i++) squares += (values[i]! - center) ** 2;
    const factor = 1 / Math.sqrt(squares / size + epsilon);
    const scaleAt = scale?.length === size ? 0 : at;
    const biasAt = bias?.length === size ? 0 : at;
    for (let i = 0; i < size; i++) {
      const normalized = (values[at + i]! - center) * factor;
      result[at + i] =
        normalized * (scale === null ? 1 : scale[scaleAt + i]!) + (bias === null ? 0 : bias[biasAt + i]!);
    }
    mean[row] = center;
    inverse[row] = factor;
  }
  return { result, mean, inverse };
}

/** `weight` broadcast to the rows of `shape` that start at `axis`: one row where it has no larger axes, all of them otherwise. */
export function rowsOf(weight: Tensor | null | undefined, shape: readonly number[], axis: number) {
  if (weight == null) return null;
  const spare = Math.max(0, weight.shape.length - (shape.length - axis));
  const oneRow = weight.shape.slice(0, spare).every((dim) => dim === 1);
  return oneRow
    ? broadcastValues(weight.numbers(), weight.shape.slice(spare), shape.slice(axis))
    : broadcastValues(weight.numbers(), weight.shape, shape);
}

/** Layer or RMS normalization of a tensor over the axes from `a.axis` on, by `normalizeRows`. */
export function normalizeTensor(
  x: Tensor,
  scale: Tensor | null | undefined,
  bias: Tensor | null | undefined,
  a: LayerNormalizationAttributes,
  centered: boolean,
  dtype: DataType = x.dtype,
): { y: Tensor; mean: Tensor; inverse: Tensor } {
  const axis = normalizeAxis(a.axis, x.shape.length);
  const { result, mean, inverse } = normalizeRows(
    x.numbers(),
    sizeOf(x.shape.slice(axis)),
    rowsOf(scale, x.shape, axis),
    rowsOf(bias, x.shape, axis),
    a.epsilon,
    centered,
    numbersFor(dtype, x.size),
  );
  const shape = x.shape.map((dim, i) => (i < axis ? dim : 1));
  const statistic = (numbers: Float64Array) =>
    Tensor.from(a.stashType, shape, numbers.length === sizeOf(shape) ? numbers : new Float64Array(sizeOf(shape)));
  return { y: Tensor.from(dtype, x.shape, result), mean: statistic(mean), inverse: statistic(inverse) };
}

/**
 * ONNX LayerNormalization over the axes from `axis` on: (x − mean) / √(variance + epsilon) · scale + bias; scale and bias
 * broadcast to x. Outputs 1 and 2 are the mean and 1 / √(variance + epsilon), in stash_type, with the normalized axes 1.
 */
export const layerNormalization: Operator<LayerNormalizationAttributes> = {
  name: "LayerNormalization",
  domain: "",
  attributes: layerNormalizationAttributes,
  infer: (inputs, a) => {
    const x = need(inputs, 0).type;
    const statistics = statisticsType(x.shape, a);
    return [x, statistics, statistics];
  },
  evaluate: (inputs, a) => {
    const { y, mean, inverse } = normalizeTensor(need(inputs, 0), need(inputs, 1), inputs[2], a, true);
    return [y, mean, inverse];
  },
};
