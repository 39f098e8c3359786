import { type Mask, maskOf, type Pattern, parsePattern } from "../sparsity/index.js";
import { bitsOf, NonzeroError, type NumericArray, sizeOf, Tensor } from "../tensor/index.js";
import { bitRowBytes, countBits, packBits, strayBits, visitBits } from "./bits.js";
import { toMatrix } from "./sparse-tensor.js";

/**
 * The tensors that compressed-tensors (Neural Magic, vLLM) stores in place of `L.weight` [R, C]: format `sparse-24-bitmask`.
 *
 * | key | dtype | shape | content |
 * | --- | --- | --- | --- |
 * | `shape` | int64 | [2, 1] | R, C |
 * | `compressed` | the weight's | [R, C / 2] | two values of every four, in row-major order |
 * | `bitmask` | uint8 | [R, ceil(C / 8)] | column j is bit j % 8 of byte floor(j / 8) |
 */
export interface Sparse24Bitmask {
  readonly shape: Tensor;
  readonly compressed: Tensor;
  readonly bitmask: Tensor;
}

/** Format `sparse-bitmask`: `shape` is int64 [2], `compressed` [nnz], and `row_offsets` int64 [R] where each row starts in it. */
export interface SparseBitmask extends Sparse24Bitmask {
  readonly row_offsets: Tensor;
}

const twoFour: Pattern = parsePattern("2:4");

/**
 * Encodes a 2-D tensor that is 2:4 as `sparse-24-bitmask`. Groups with fewer than two nonzeros store zeros, those that come
 * first (compressed-tensors leaves that to `torch.topk`; any choice decodes alike).
 * @throws NonzeroError "layout" when a group has more than two nonzeros, "shape" when C is not a multiple of 4.
 */
export function toSparse24Bitmask(tensor: Tensor): Sparse24Bitmask {
  const matrix = toMatrix(twoDimensional(tensor), [0, 1]);
  const { rows, cols } = matrix;
  if (cols % 4 !== 0) throw new NonzeroError("shape", `2:4 needs columns in fours, not ${cols}`);
  const nonzeros = maskOf(matrix);
  const violation = twoFour.violation(nonzeros);
  if (violation !== null) {
    throw new NonzeroError("layout", `row ${violation.row}, column ${violation.col}: ${violation.reason}`);
  }
  const mask = twoFour.select({ rows, cols, data: Float32Array.from(nonzeros.data) });
  return {
    shape: new Tensor("int64", [2, 1], BigInt64Array.of(BigInt(rows), BigInt(cols))),
    compressed: new Tensor(tensor.dtype, [rows, cols / 2], keptElements(tensor, mask)),
    bitmask: new Tensor("uint8", [rows, bitRowBytes(cols)], packBits(mask)),
  };
}

/** Encodes the nonzeros of a 2-D tensor as `sparse-bitmask`. NaN is kept, -0 is not. */
export function toSparseBitmask(tensor: Tensor): SparseBitmask {
  const mask = maskOf(toMatrix(twoDimensional(tensor), [0, 1]));
  const { rows, cols } = mask;
  const kept = keptElements(tensor, mask);
  const offsets = new BigInt64Array(rows);
  for (let row = 0, at = 0n; row < rows; row++) {
    offsets[row] = at;
    for (let col = 0; col < cols; col++) if (mask.data[row * cols + col] !== 0) at++;
  }
  return {
    shape: new Tensor("int64", [2], BigInt64Array.of(BigInt(rows), BigInt(cols))),
    compressed: new Tensor(tensor.dtype, [kept.length], kept),
    bitmask: new Tensor("uint8", [rows, bitRowBytes(cols)], packBits(mask)),
    row_offsets: new Tensor("int64", [rows], offsets),
  };
}

/**
 * The dense tensor of either format; `row_offsets` are not needed and not read.
 * @throws NonzeroError "invalid-model" when shape, bits and values do not fit together.
 */
export function fromBitmask({ shape, compressed, bitmask }: Sparse24Bitmask): Tensor {
  if (shape.dtype !== "int64" || shape.size !== 2) throw invalid("shape", "expected two int64 sizes");
  const [rows, cols] = Array.from(shape.numbers()) as [number, number];
  if (rows < 0 || cols < 0 || !Number.isSafeInteger(rows * cols)) throw invalid("shape", `${rows}×${cols} is no shape`);
  const rowBytes = bitRowBytes(cols);
  const fits = bitmask.dtype === "uint8" && bitmask.shape[0] === rows && bitmask.shape[1] === rowBytes;
  if (!fits || bitmask.shape.length !== 2) {
    throw invalid("bitmask", `expected uint8 [${rows},${rowBytes}], not ${bitmask.dtype} [${bitmask.shape}]`);
  }
  const bytes = bitmask.data as Uint8Array;
  if (strayBits(bytes, rows, cols) >= 0) throw invalid("bitmask", `bits beyond column ${cols - 1} are set`);
  if (compressed.dtype === "string" || bitsOf(compressed.dtype) < 8) {
    throw invalid("compressed", `cannot hold ${compressed.dtype}`);
  }
  if (countBits(bytes) !== sizeOf(compressed.shape)) {
    throw invalid("compressed", `${countBits(bytes)} bits are set for ${sizeOf(compressed.shape)} values`);
  }
  const dense = Tensor.zeros(compressed.dtype, [rows, cols]);
  const from = compressed.data as Float32Array;
  const to = dense.data as Float32Array;
  let at = 0;
  visitBits(bytes, rows, cols, (row, col) => {
    to[row * cols + col] = from[at++]!;
  });
  return dense;
}

const keptElements = (tensor: Tensor, mask: Mask): NumericArray =>
  (tensor.data as Float32Array).filter((_, i) => mask.data[i] !== 0);

function twoDimensional(tensor: Tensor): Tensor {
  if (tensor.shape.length !== 2)
    throw new NonzeroError("shape", `Only 2D tensors are supported, not [${tensor.shape}]`);
  if (tensor.dtype === "string" || bitsOf(tensor.dtype) < 8) {
    throw new NonzeroError("layout", `a bitmask format cannot hold ${tensor.dtype}`);
  }
  return tensor;
}

const invalid = (field: string, reason: string): NonzeroError => new NonzeroError("invalid-model", reason, { field });
