/** A matrix as a window on an array: entry (i, j) is data[at + i·rowStep + j·colStep]. Transposes and blocks are views, never copies. */
export interface View {
  readonly data: Float64Array | Float32Array;
  readonly at: number;
  readonly rows: number;
  readonly cols: number;
  readonly rowStep: number;
  readonly colStep: number;
}

/** A whole row-major array of rows × cols entries. */
export const view = (data: Float64Array | Float32Array, rows: number, cols: number): View => ({
  data,
  at: 0,
  rows,
  cols,
  rowStep: cols,
  colStep: 1,
});

export const transposed = ({ data, at, rows, cols, rowStep, colStep }: View): View => ({
  data,
  at,
  rows: cols,
  cols: rows,
  rowStep: colStep,
  colStep: rowStep,
});

/** Rows top … bottom - 1 of columns left … right - 1. */
export const block = (
  { data, at, rowStep, colStep }: View,
  top: number,
  bottom: number,
  left: number,
  right: number,
): View => ({
  data,
  at: at + top * rowStep + left * colStep,
  rows: bottom - top,
  cols: right - left,
  rowStep,
  colStep,
});

/** The same matrix with its rows and its columns in reverse order. */
export const reversed = ({ data, at, rows, cols, rowStep, colStep }: View): View => ({
  data,
  at: at + (rows - 1) * rowStep + (cols - 1) * colStep,
  rows,
  cols,
  rowStep: -rowStep,
  colStep: -colStep,
});
