import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { erfc } from "../math/special.js";

/** x · Φ(x), Φ the normal distribution. */
export const geluOf = (x: number): number => 0.5 * x * erfc(-x / Math.SQRT2);

/** The usual approximation of `geluOf` by tanh. */
export const fastGeluOf = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** f(x + bias) of each element, bias [last axis of x] or absent. @throws NonzeroError "shape" when it does not fit. */
export function biased(x: Tensor, bias: Tensor | null | undefined, f: (v: number) => number): Tensor {
  const size = x.shape[x.shape.length - 1] ?? 1;
  if (bias != null && bias.size !== size)
    throw new NonzeroError("shape", `a bias of shape [${bias.shape}] for x of shape [${x.shape}]`);
  const values = x.numbers();
  const added = bias?.numbers();
  const result = numbersFor(x.dtype, values.length);
  for (let i = 0; i < result.length; i++) result[i] = f(values[i]! + (added === undefined ? 0 : added[i % size]!));
  return Tensor.from(x.dtype, x.shape, result);
}
