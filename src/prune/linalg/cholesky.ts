import { multiplyAdd } from "./multiply.js";
import { block, transposed, type View } from "./view.js";

/** Columns that are factored together; the rest is matrix products. */
const PANEL = 64;

/**
 * Factors a symmetric positive definite matrix, A = L·Lᵀ, in place: its lower triangle becomes L; above the diagonal nothing is read or
 * written. n³/6 multiply-adds, nearly all of them in `multiplyAdd`.
 *
 * False, and A spoiled, where a pivot is not above n·2⁻⁵² of its diagonal entry: A is singular or indefinite to working precision.
 */
export function cholesky(a: View): boolean {
  const n = a.rows;
  const least = n * Number.EPSILON;
  const diagonal = diagonalOf(a);
  const corner = new Float64Array(PANEL * PANEL);
  for (let start = 0; start < n; start += PANEL) {
    const end = Math.min(start + PANEL, n);
    if (!factorCorner(block(a, start, end, start, end), diagonal.subarray(start, end), least, corner)) return false;
    const below = block(a, end, n, start, end);
    solveRows(below, corner);
    multiplyAdd(block(a, end, n, end, n), below, transposed(below), -1, "lower");
  }
  return true;
}

export function diagonalOf({ data, at, rows, rowStep, colStep }: View): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => data[at + i * (rowStep + colStep)]!);
}

/** Factors a small block in place, and into `corner` with rows PANEL apart. */
function factorCorner(
  { data, at, rows, rowStep, colStep }: View,
  diagonal: Float64Array,
  least: number,
  corner: Float64Array,
): boolean {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      const entry = at + i * rowStep + j * colStep;
      let sum = data[entry]!;
      for (let k = 0; k < j; k++) sum -= corner[i * PANEL + k]! * corner[j * PANEL + k]!;
      if (i === j && !(sum > least * diagonal[i]!)) return false;
      const value = i === j ? Math.sqrt(sum) : sum / corner[j * PANEL + j]!;
      corner[i * PANEL + j] = value;
      data[entry] = value;
    }
  }
  return true;
}

/** Each row x becomes the solution of y·Lᵀ = x, for the factored corner L. */
function solveRows({ data, at, rows, cols, rowStep, colStep }: View, corner: Float64Array): void {
  const x = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    const from = at + row * rowStep;
    for (let j = 0; j < cols; j++) {
      let sum = data[from + j * colStep]!;
      for (let k = 0; k < j; k++) sum -= x[k]! * corner[j * PANEL + k]!;
      x[j] = sum / corner[j * PANEL + j]!;
      data[from + j * colStep] = x[j]!;
    }
  }
}

/** Solves L·Lᵀ·y = x in place, for the factor L that `cholesky` leaves. */
export function solveFactored({ data, at, rows, rowStep, colStep }: View, x: Float64Array): void {
  for (let i = 0; i < rows; i++) {
    let sum = x[i]!;
    for (let k = 0; k < i; k++) sum -= data[at + i * rowStep + k * colStep]! * x[k]!;
    x[i] = sum / data[at + i * (rowStep + colStep)]!;
  }
  for (let i = rows - 1; i >= 0; i--) {
    const value = x[i]! / data[at + i * (rowStep + colStep)]!;
    x[i] = value;
    for (let k = 0; k < i; k++) x[k] = x[k]! - data[at + i * rowStep + k * colStep]! * value;
  }
}
