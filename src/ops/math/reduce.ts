import { bitsOf, type DataType, isFloat, isUnsigned, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { tensorOf } from "../elementwise.js";
import { type Dims, expectDtype, intsOf, knownInts, need, normalizeAxes } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { reducedShape, reductionOf } from "../reduction.js";
import { isNumeric } from "./dtypes.js";

/** One result from the elements `values[start + steps[j]]`. */
type Fold<Values, Result> = (values: Values, start: number, steps: Int32Array) => Result;

export interface ReduceRule {
  /** For floats and bools, and for integers too where `exact` is missing. Computed in double, rounded or truncated once. */
  readonly inDouble: Fold<ArrayLike<number>, number>;
  /** For integers; the result wraps. */
  readonly exact?: Fold<ArrayLike<bigint>, bigint>;
  /** The result of no elements where the fold does not say it. */
  readonly ofNone?: (dtype: DataType) => number | bigint;
  /** The dtypes that the operator takes: floats and integers where it does not say. */
  readonly accepts?: (dtype: DataType) => boolean;
}

export interface ReduceAttributes {
  /** Null where the axes are input 1, or all. */
  readonly axes: readonly number[] | null;
  readonly axesAreInput: boolean;
  readonly keepDims: boolean;
  readonly noopWithEmptyAxes: boolean;
}

/**
 * A reduction over `axes`, all of them when there are none (then `noop_with_empty_axes` reduces each element alone); axes
 * stay as 1 unless `keepdims` is 0. The axes are an attribute before opset `axesInputSince` and optional input 1 from it on.
 */
export function reduction(name: string, axesInputSince: number, rule: ReduceRule): Operator<ReduceAttributes> {
  return {
    name,
    domain: "",
    shapeInputs: [1],
    attributes: (node) => reduceAttributes(node, axesInputSince),
    infer: (inputs, a) => {
      const { dtype, shape } = need(inputs, 0).type;
      expectDtype(dtype, rule.accepts ?? isNumeric);
      return [{ dtype, shape: inferReduced(shape, a, inputs[1]) }];
    },
    evaluate: (inputs, a) => {
      const x = need(inputs, 0);
      const given = a.axesAreInput && inputs[1] ? intsOf(inputs[1]) : a.axes;
      return [reduce(x, axesToReduce(given, x.shape.length, a), a.keepDims, rule)];
    },
  };
}

function reduceAttributes(node: Attributes, axesInputSince: number): ReduceAttributes {
  const axesAreInput = node.version >= axesInputSince;
  return {
    axes: axesAreInput ? null : (node.optional("axes", "ints") ?? null),
    axesAreInput,
    keepDims: node.flag("keepdims", true),
    noopWithEmptyAxes: node.flag("noop_with_empty_axes"),
  };
}

function axesToReduce(axes: readonly number[] | null, rank: number, a: ReduceAttributes): number[] {
  if (axes !== null && axes.length > 0) return normalizeAxes(axes, rank);
  return a.noopWithEmptyAxes ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

function inferReduced(shape: Dims, a: ReduceAttributes, axesInput: Operand | null | undefined): Dims {
  const fromInput = a.axesAreInput && axesInput != null;
  const axes = fromInput ? knownInts(axesInput) : a.axes;
  if (axes === undefined) return null;
  if (shape !== null) return reducedShape(shape, axesToReduce(axes, shape.length, a), a.keepDims);
  const all = (axes === null || axes.length === 0) && !a.noopWithEmptyAxes;
  return all && !a.keepDims ? [] : null;
}

function reduce(x: Tensor, axes: readonly number[], keepDims: boolean, rule: ReduceRule): Tensor {
  const shape = reducedShape(x.shape, axes, keepDims);
  const { starts, steps } = reductionOf(x.shape, axes);
  const { exact, inDouble, ofNone } = rule;
  if (steps.length === 0 && ofNone !== undefined) {
    const none = ofNone(x.dtype);
    return tensorOf(x.dtype, shape, Array.from(starts, () => none) as number[]);
  }
  if (exact !== undefined && !isFloat(x.dtype) && x.dtype !== "bool") {
    const values = x.bigints();
    return tensorOf(
      x.dtype,
      shape,
      Array.from(starts, (start) => exact(values, start, steps)),
    );
  }
  const values = x.numbers();
  const results = new Float64Array(starts.length);
  for (let i = 0; i < results.length; i++) results[i] = inDouble(values, starts[i]!, steps);
  return tensorOf(x.dtype, shape, results);
}

/** The least value of a dtype: -∞ for floats. */
export function lowestOf(dtype: DataType): number | bigint {
  if (isFloat(dtype)) return Number.NEGATIVE_INFINITY;
  return dtype === "bool" || isUnsigned(dtype) ? 0n : -(2n ** BigInt(bitsOf(dtype) - 1));
}

/** The greatest value of a dtype: ∞ for floats. */
export function highestOf(dtype: DataType): number | bigint {
  if (isFloat(dtype)) return Number.POSITIVE_INFINITY;
  if (dtype === "bool") return 1n;
  return 2n ** BigInt(isUnsigned(dtype) ? bitsOf(dtype) : bitsOf(dtype) - 1) - 1n;
}
