/** A matrix [rows, columns] inside a larger row-major array: element (i, j) is `values[start + i * rowStride + j * columnStride]`. */
export interface MatrixView<Values> {
  readonly values: Values;
  readonly start: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Adds A · B to `out[outStart ...]`, row-major [m, n], in double: A is [m, k] and B [k, n]. */
export function addProduct(
  a: MatrixView<ArrayLike<number>>,
  b: MatrixView<ArrayLike<number>>,
  [m, k, n]: readonly [number, number, number],
  out: Float64Array,
  outStart = 0,
): void {
  const [left, right, stride] = [a.values, b.values, b.columnStride];
  for (let i = 0; i < m; i++) {
    const row = outStart + i * n;
    for (let p = 0; p < k; p++) {
      const value = left[a.start + i * a.rowStride + p * a.columnStride]!;
      let from = b.start + p * b.rowStride;
      for (let j = 0; j < n; j++, from += stride) out[row + j] = out[row + j]! + value * right[from]!;
    }
  }
}

/** As `addProduct`, for integers, exactly. */
export function addExactProduct(
  a: MatrixView<ArrayLike<bigint>>,
  b: MatrixView<ArrayLike<bigint>>,
  [m, k, n]: readonly [number, number, number],
  out: bigint[],
  outStart = 0,
): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0n;
      for (let p = 0; p < k; p++) {
        const left = a.values[a.start + i * a.rowStride + p * a.columnStride]!;
        sum += left * b.values[b.start + p * b.rowStride + j * b.columnStride]!;
      }
      out[outStart + i * n + j] = out[outStart + i * n + j]! + sum;
    }
  }
}
