import { NonzeroError } from "../tensor/index.js";

/** A row-major matrix of numbers: weights as [outputs, inputs], or their scores. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array;
}

/** Which entries of a matrix are kept: 1 kept, 0 pruned, row-major. */
export interface Mask {
  readonly rows: number;
  readonly cols: number;
  readonly data: Uint8Array;
}

/** The first group of a mask that breaks a pattern's rule. */
export interface Violation {
  readonly row: number;
  readonly col: number;
  /** Plain words: what the rule allows there and what the mask has. */
  readonly reason: string;
}

/** The mask of the nonzero entries. NaN counts as nonzero, -0 as zero, as in PyTorch. */
export function maskOf(matrix: Matrix): Mask {
  const data = new Uint8Array(matrix.data.length);
  for (let i = 0; i < data.length; i++) data[i] = matrix.data[i] !== 0 ? 1 : 0;
  return { rows: matrix.rows, cols: matrix.cols, data };
}

/** The matrix with +0 wherever the mask has 0; kept entries are copied bit for bit. @throws NonzeroError "shape". */
export function applyMask(matrix: Matrix, mask: Mask): Matrix {
  checkSameShape(matrix, mask);
  const data = new Float32Array(matrix.data.length);
  for (let i = 0; i < data.length; i++) if (mask.data[i] !== 0) data[i] = matrix.data[i]!;
  return { rows: matrix.rows, cols: matrix.cols, data };
}

/** How many entries a mask keeps, or how many entries of a matrix are nonzero (NaN is, -0 is not). */
export function countNonzeros({ data }: Mask | Matrix): number {
  let count = 0;
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) count++;
  return count;
}

/** Share of zeros, 0 to 1; 0 for a matrix without entries. */
export const sparsityOf = (matrix: Mask | Matrix): number =>
  matrix.data.length === 0 ? 0 : 1 - countNonzeros(matrix) / matrix.data.length;

/** @throws NonzeroError "shape" when a matrix and its mask differ in shape or do not hold rows × cols entries. */
export function checkSameShape(matrix: Matrix, mask: Mask): void {
  const { rows, cols } = matrix;
  if (rows !== mask.rows || cols !== mask.cols) {
    throw new NonzeroError("shape", `a ${mask.rows}×${mask.cols} mask does not fit a ${rows}×${cols} matrix`);
  }
  if (matrix.data.length !== rows * cols || mask.data.length !== rows * cols) {
    throw new NonzeroError("shape", `a ${rows}×${cols} matrix and its mask need ${rows * cols} entries each`);
  }
}
