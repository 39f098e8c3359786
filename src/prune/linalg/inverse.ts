import { cholesky } from "./cholesky.js";
import { mirrorLower, multiplyAdd } from "./multiply.js";
import { block, reversed, transposed, type View, view } from "./view.js";

/** Rows that are inverted together, and columns that are multiplied together; the zeros of the triangle are left out in these steps. */
const ROWS = 64;
const COLS = 256;

/** The inverse of a lower triangular matrix [n, n], of which nothing above the diagonal is read; row-major, n³/6 multiply-adds. */
export function inverseOfLower(lower: View): Float64Array {
  const n = lower.rows;
  const data = new Float64Array(n * n);
  const inverse = view(data, n, n);
  for (let top = 0; top < n; top += ROWS) {
    const bottom = Math.min(top + ROWS, n);
    const corner = block(inverse, top, bottom, top, bottom);
    invertCorner(block(lower, top, bottom, top, bottom), corner);
    if (top === 0) continue;
    // Row block of L·X = 1: X[i, :] = -L[i, i]⁻¹ · L[i, :i] · X[:i, :].
    const products = view(new Float64Array((bottom - top) * top), bottom - top, top);
    for (let left = 0; left < top; left += COLS) {
      const right = Math.min(left + COLS, top);
      multiplyAdd(
        block(products, 0, bottom - top, left, right),
        block(lower, top, bottom, left, top),
        block(inverse, left, top, left, right),
      );
    }
    multiplyAdd(block(inverse, top, bottom, 0, top), corner, products, -1);
  }
  return data;
}

/** The inverse of a small lower triangle into `to`, column by column. */
function invertCorner(lower: View, to: View): void {
  const entry = ({ data, at, rowStep, colStep }: View, i: number, j: number): number =>
    data[at + i * rowStep + j * colStep]!;
  for (let j = 0; j < lower.rows; j++) {
    for (let i = j; i < lower.rows; i++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= entry(lower, i, k) * entry(to, k, j);
      to.data[to.at + i * to.rowStep + j * to.colStep] = sum / entry(lower, i, i);
    }
  }
}

/**
 * The inverse of a symmetric positive definite matrix [n, n], of which the lower triangle is read; both triangles, row-major. n³/2
 * multiply-adds. Null where it is singular to working precision.
 */
export function inverseOf(matrix: Float64Array, n: number): Float64Array | null {
  const factor = view(matrix.slice(), n, n);
  if (!cholesky(factor)) return null;
  const half = view(inverseOfLower(factor), n, n);
  const inverse = new Float64Array(n * n);
  for (let top = 0; top < n; top += COLS) {
    const bottom = Math.min(top + COLS, n);
    multiplyAdd(
      block(view(inverse, n, n), top, bottom, 0, bottom),
      transposed(block(half, top, n, top, bottom)),
      block(half, top, n, 0, bottom),
    );
  }
  mirrorLower(inverse, n);
  return inverse;
}

/**
 * The upper triangular U with Uᵀ·U = A⁻¹ and a positive diagonal (`torch.linalg.cholesky(inverse, upper=True)`), row-major; the lower
 * triangle of A [n, n] is read. With A's rows and columns in reverse order L·Lᵀ = A, L⁻¹ back in order is U: no inverse is ever formed,
 * and n³/3 multiply-adds do. Null where A is singular to working precision.
 */
export function upperFactorOfInverse(matrix: Float64Array, n: number): Float64Array | null {
  const factor = transposed(reversed(view(matrix.slice(), n, n)));
  if (!cholesky(factor)) return null;
  return inverseOfLower(factor).reverse();
}
