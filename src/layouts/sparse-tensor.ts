import type { Matrix } from "../sparsity/index.js";
import { type DataType, NonzeroError, sizeOf, Tensor } from "../tensor/index.js";
import { bytesOf, type Stored } from "./layout.js";
import { parseLayout } from "./registry.js";

/**
 * A constant tensor that stays sparse. Its logical `shape` is what the graph sees; `stored` is the matrix [outputs, inputs] that
 * `perm` and a reshape make of it: matrix = tensor.transpose(perm).reshape(rows, cols).
 *
 * | weight of | logical shape | perm | matrix |
 * | --- | --- | --- | --- |
 * | MatMul, right operand; Gemm with transB = 0 | [K, N] | [1, 0] | [N, K] |
 * | MatMul, left operand; Gemm with transB = 1 | [M, K] | [0, 1] | [M, K] |
 * | Conv (n dimensions) | [O, I, k…] | [0, 2, …, 1] | [O, k… × I], input channels innermost |
 */
export class SparseTensor {
  readonly shape: readonly number[];
  readonly perm: readonly number[];
  readonly stored: Stored;

  /** @throws NonzeroError "layout" when shape, axes and matrix do not belong together. */
  constructor(shape: readonly number[], perm: readonly number[], stored: Stored) {
    const rows = shape[perm[0] as number];
    if (perm.length !== shape.length || new Set(perm).size !== perm.length || perm.some((axis) => !(axis in shape))) {
      throw new NonzeroError("layout", `[${perm}] does not permute the axes of shape [${shape}]`);
    }
    if (shape.some((dim) => !Number.isInteger(dim) || dim < 0)) {
      throw new NonzeroError("layout", `[${shape}] is not a shape`);
    }
    if (rows !== stored.rows || sizeOf(shape) !== stored.rows * stored.cols) {
      throw new NonzeroError(
        "layout",
        `shape [${shape}] with axes [${perm}] is not a ${stored.rows}×${stored.cols} matrix`,
      );
    }
    this.shape = shape;
    this.perm = perm;
    this.stored = stored;
  }

  get dtype(): DataType {
    return this.stored.dtype;
  }

  /** Bytes of all stored parts. */
  get byteLength(): number {
    return bytesOf(this.stored);
  }

  /** The dense tensor with explicit zeros. */
  toDense(): Tensor {
    return fromMatrix(parseLayout(this.stored.layout).decode(this.stored), this.shape, this.perm, this.dtype);
  }
}

/** The matrix [outputs, inputs] of a dense tensor under `perm`, as float32. */
export function toMatrix(tensor: Tensor, perm: readonly number[]): Matrix {
  const rows = tensor.shape[perm[0]!]!;
  const cols = perm.slice(1).reduce((size, axis) => size * tensor.shape[axis]!, 1);
  const values = tensor.numbers();
  if (perm.every((axis, i) => axis === i)) return { rows, cols, data: Float32Array.from(values) };
  const data = new Float32Array(tensor.size);
  permuted(tensor.shape, perm, (from, to) => {
    data[to] = values[from] as number;
  });
  return { rows, cols, data };
}

/** Undoes `toMatrix`. */
export function fromMatrix(matrix: Matrix, shape: readonly number[], perm: readonly number[], dtype: DataType): Tensor {
  const values = new Float32Array(matrix.data.length);
  permuted(shape, perm, (from, to) => {
    values[from] = matrix.data[to] as number;
  });
  return Tensor.from(dtype, shape, values);
}

/** Visits each element's offset in `shape` and in its transpose by `perm`. */
function permuted(shape: readonly number[], perm: readonly number[], visit: (from: number, to: number) => void): void {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number);
  const dims = perm.map((axis) => shape[axis] as number);
  const steps = perm.map((axis) => strides[axis] as number);
  let to = 0;
  const walk = (axis: number, from: number): void => {
    if (axis === dims.length) {
      visit(from, to++);
      return;
    }
    for (let i = 0; i < (dims[axis] as number); i++) walk(axis + 1, from + i * (steps[axis] as number));
  };
  walk(0, 0);
}
