import { type DataType, sizeOf, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import { checkShape } from "../shape/dims.js";
import { type Uniform, uniformOf } from "./mersenne-twister.js";

/** Where an operator gets the numbers of its elements. */
type Sampler = (uniform: Uniform) => () => number;

export interface GeneratedAttributes {
  /** Null takes the input's. */
  readonly dtype: DataType | null;
  readonly seed: number | null;
  readonly shape: readonly number[];
  readonly sampler: Sampler;
}

export const seedOf = (node: Attributes): number | null => node.optional("seed", "float") ?? null;

export const optionalDtype = (node: Attributes): DataType | null =>
  node.has("dtype") ? dtypeOfCode(node.int("dtype"), "dtype") : null;

/**
 * An operator whose elements are drawn independently, in two forms: `name` with its shape and dtype in attributes, and
 * `name`Like with those of an input. With a seed every evaluation gives the same numbers.
 */
export function generated(name: string, samplerOf: (node: Attributes) => Sampler): Operator<GeneratedAttributes>[] {
  const common = { domain: "", deterministic: false } as const;
  return [
    {
      ...common,
      name,
      attributes: (node) => ({
        dtype: dtypeOfCode(node.int("dtype", 1), "dtype"),
        seed: seedOf(node),
        shape: checkShape(node.ints("shape")),
        sampler: samplerOf(node),
      }),
      infer: (_, { dtype, shape }) => [{ dtype: dtype!, shape }],
      evaluate: (_, a) => [draw(a.dtype!, a.shape, a.sampler(uniformOf(a.seed)))],
    },
    {
      ...common,
      name: `${name}Like`,
      attributes: (node) => ({ dtype: optionalDtype(node), seed: seedOf(node), shape: [], sampler: samplerOf(node) }),
      infer: (inputs, a) => [{ ...need(inputs, 0).type, dtype: a.dtype ?? need(inputs, 0).type.dtype }],
      evaluate(inputs, a) {
        const x = need(inputs, 0);
        return [draw(a.dtype ?? x.dtype, x.shape, a.sampler(uniformOf(a.seed)))];
      },
    },
  ];
}

function draw(dtype: DataType, shape: readonly number[], next: () => number): Tensor {
  const values = numbersFor(dtype, sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = next();
  return Tensor.from(dtype, shape, values);
}
