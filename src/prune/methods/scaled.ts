import type { Hessian } from "../hessian.js";
import { multiplyAdd } from "../linalg/multiply.js";
import { view } from "../linalg/view.js";

/**
 * A layer in the coordinates in which all inputs have the same norm, where magnitude ranks as Wanda does: w_j·√H_jj and
 * H_ij / √(H_ii·H_jj).
 */
export interface Scaled {
  readonly rows: number;
  readonly size: number;
  /** √H_jj. */
  readonly norms: Float64Array;
  /** Ones on its diagonal. */
  readonly matrix: Float64Array;
  /** [outputs, inputs]. */
  readonly weight: Float64Array;
  /** weight · matrix. */
  readonly products: Float64Array;
}

export function scaled(values: Float64Array, rows: number, { matrix, size }: Hessian): Scaled {
  const norms = Float64Array.from({ length: size }, (_, i) => Math.sqrt(matrix[i * (size + 1)]!));
  const unit = new Float64Array(size * size);
  for (let i = 0, at = 0; i < size; i++)
    for (let j = 0; j < size; j++, at++) unit[at] = matrix[at]! / (norms[i]! * norms[j]!);
  const weight = new Float64Array(values.length);
  for (let row = 0, at = 0; row < rows; row++)
    for (let j = 0; j < size; j++, at++) weight[at] = values[at]! * norms[j]!;
  return { rows, size, norms, matrix: unit, weight, products: times(weight, rows, unit, size) };
}

/** values [rows, size] · matrix [size, size]. */
export function times(values: Float64Array, rows: number, matrix: Float64Array, size: number): Float64Array {
  const product = new Float64Array(values.length);
  multiplyAdd(view(product, rows, size), view(values, rows, size), view(matrix, size, size));
  return product;
}

/** Back to the weight's own coordinates. */
export const unscaled = (values: Float64Array, { norms, size }: Scaled): Float64Array =>
  values.map((w, at) => w / norms[at % size]!);

/** The matrix with `amount` added to its diagonal. */
export function shifted(matrix: Float64Array, size: number, amount: number): Float64Array {
  const sum = matrix.slice();
  for (let i = 0; i < size; i++) sum[i * (size + 1)]! += amount;
  return sum;
}
