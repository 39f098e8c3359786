import type { Constant, Node } from "../graph/index.js";
import { fromMatrix, SparseTensor, type Stored } from "../layouts/index.js";
import { attributesFor, dequantizeBlocks, operatorKey, operators, unpackBits } from "../ops/index.js";
import { type DataType, normalizeAxis, Tensor } from "../tensor/index.js";

type Operands = readonly (Tensor | null)[];

const attributesOf = <A>(node: Node): A => attributesFor(node, operators.get(operatorKey(node))!) as A;

/** Group sizes that kernels know. */
export const isGroupSize = (size: number): boolean => size >= 32 && size <= 4096 && (size & (size - 1)) === 0;

/**
 * The weight that DequantizeLinear(x, scale, zero point) is, `perm` its axes as a matrix: `dense` with int8 values for a scale an output (or one for all) and
 * codes around one middle, `dense:gG` for blocks along the inputs. Null for all else.
 */
export function fromDequantizeLinear(
  node: Node,
  [x, scale, zero]: Operands,
  perm: readonly number[],
): SparseTensor | null {
  const { axis, blockSize, dtype } = attributesOf<{ axis: number; blockSize: number; dtype: DataType | null }>(node);
  const { shape } = x!;
  if (perm.length !== shape.length || !["int8", "uint8", "int4", "uint4"].includes(x!.dtype)) return null;
  const seen = dtype ?? scale!.dtype;
  if (seen !== "float32" && seen !== "float16") return null;
  const [rows, cols] = matrixShape(shape, perm);
  if (rows * cols === 0) return null;
  if (zero && zero.size !== scale!.size) return null; // its evaluation says what is wrong
  const unsigned = x!.dtype.startsWith("u");
  const half = x!.dtype.endsWith("4") ? 8 : 128;
  if (blockSize === 0) {
    const one = scale!.size === 1 && scale!.shape.length <= 1;
    if (!one && (normalizeAxis(axis, shape.length) !== perm[0] || `${scale!.shape}` !== `${rows}`)) return null;
    const middle = zero?.numbers()[0] ?? 0;
    if (zero?.numbers().some((level) => level !== middle)) return null;
    if (middle !== (unsigned ? half : 0)) return null;
    const factors = scale!.numbers();
    const scales = Float32Array.from({ length: rows }, (_, row) => factors[one ? 0 : row]!);
    const values = new Int8Array(rows * cols);
    eachCode(x!, perm, (at, code) => {
      values[at] = code - middle;
    });
    const parts = { values: new Tensor("int8", [rows, cols], values), scales: new Tensor("float32", [rows], scales) };
    return new SparseTensor(shape, perm, { layout: "dense", rows, cols, dtype: seen, parts });
  }
  if (shape.length !== 2 || normalizeAxis(axis, 2) !== perm[1] || !isGroupSize(blockSize)) return null;
  const groups = Math.ceil(cols / blockSize);
  const groupShape = shape.map((dim, i) => (i === perm[1] ? groups : dim));
  if ([scale, zero].some((tensor) => tensor && `${tensor.shape}` !== `${groupShape}`)) return null;
  const offset = unsigned ? 0 : half;
  const codes = new Uint8Array(rows * cols);
  eachCode(x!, perm, (at, code) => {
    codes[at] = code + offset;
  });
  const scales = new Float32Array(rows * groups);
  eachCode(scale!, perm, (at, value) => {
    scales[at] = value;
  });
  const zeroPoints = new Uint8Array(rows * groups).fill(offset);
  if (zero)
    eachCode(zero, perm, (at, level) => {
      zeroPoints[at] = level + offset;
    });
  const stored = groupedMatrix(
    { rows, cols, size: blockSize, bits: half === 8 ? 4 : 8, codes, scales, zeroPoints },
    seen,
  );
  return new SparseTensor(shape, perm, stored);
}

/** Visits a tensor's elements with their places in the matrix that `perm` makes of it. */
function eachCode(tensor: Tensor, perm: readonly number[], visit: (at: number, value: number) => void): void {
  const { shape } = tensor;
  const values = tensor.numbers();
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const walk = (depth: number, from: number, at: number): number => {
    if (depth === perm.length) {
      visit(at, values[from]!);
      return at + 1;
    }
    const axis = perm[depth]!;
    let next = at;
    for (let i = 0; i < shape[axis]!; i++) next = walk(depth + 1, from + i * strides[axis]!, next);
    return next;
  };
  walk(0, 0, 0);
}

function matrixShape(shape: readonly number[], perm: readonly number[]): [rows: number, cols: number] {
  const [rows, ...rest] = perm.map((axis) => shape[axis]!);
  return [rows!, rest.reduce((a, b) => a * b, 1)];
}

interface Groups {
  readonly rows: number;
  readonly cols: number;
  readonly size: number;
  readonly bits: number;
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly zeroPoints: Uint8Array;
}

function groupedMatrix({ rows, cols, size, bits, codes, scales, zeroPoints }: Groups, dtype: DataType): Stored {
  const groups = Math.ceil(cols / size);
  const stored = bits === 8 ? "uint8" : "uint4";
  const symmetric = zeroPoints.every((zero) => zero === (bits === 8 ? 128 : 8));
  const parts = {
    values: Tensor.from(stored, [rows, cols], codes),
    scales: new Tensor("float32", [rows, groups], scales),
    ...(symmetric ? {} : { zero_points: Tensor.from(stored, [rows, groups], zeroPoints) }),
  };
  return { layout: `dense:g${size}`, rows, cols, dtype, parts };
}

interface BlockAttributes {
  readonly K: number;
  readonly N: number;
  readonly bits: number;
  readonly blockSize: number;
}

/** The weight [K, N] of a MatMulNBits with B, scales and zero points; dense floats where they have zero points in floats, or groups that kernels do not know. */
export function multipliedBlocks(node: Node, [b, scales, zero]: Operands): Constant | null {
  const a = attributesOf<BlockAttributes>(node);
  const { K, N, bits, blockSize } = a;
  const groups = Math.ceil(K / blockSize);
  const bytesOfRow = (groups * blockSize * bits) / 8;
  if (!scales || b!.size !== N * bytesOfRow || scales.size !== N * groups) return null; // its evaluation says what is wrong
  if ((zero && zero.dtype !== "uint8") || !isGroupSize(blockSize)) {
    const data = Float32Array.from(dequantizeBlocks(b!, scales, zero ?? null, a));
    return fromMatrix({ rows: N, cols: K, data }, [K, N], [1, 0], scales.dtype);
  }
  const zeroRow = Math.ceil((groups * bits) / 8);
  if (zero && zero.size !== N * zeroRow) return null;
  const [packed, levels] = [b!.numbers(), zero?.numbers()];
  // Codes of two bits are kept in four, around 8.
  const shift = bits === 2 ? 6 : 0;
  const codes = new Uint8Array(N * K);
  const zeroPoints = new Uint8Array(N * groups).fill(bits === 8 ? 128 : 8);
  for (let n = 0; n < N; n++) {
    for (let k = 0; k < K; k++) codes[n * K + k] = unpackBits(packed, n * bytesOfRow, k, bits) + shift;
    if (levels !== undefined)
      for (let g = 0; g < groups; g++) zeroPoints[n * groups + g] = unpackBits(levels, n * zeroRow, g, bits) + shift;
  }
  const matrix = { rows: N, cols: K, size: blockSize, bits: bits === 8 ? 8 : 4, codes, zeroPoints };
  const stored = groupedMatrix({ ...matrix, scales: Float32Array.from(scales.numbers()) }, scales.dtype);
  return new SparseTensor([K, N], [1, 0], stored);
}

interface GatherAttributes {
  readonly bits: number;
  readonly blockSize: number;
  readonly gatherAxis: number;
  readonly quantizeAxis: number;
}

/** The table [rows, columns] of a GatherBlockQuantized along the rows with groups along the columns; null for all else. */
export function gatheredBlocks(node: Node, [data, scales, zero]: Operands): SparseTensor | null {
  const { bits, blockSize, gatherAxis, quantizeAxis } = attributesOf<GatherAttributes>(node);
  if (data!.shape.length !== 2 || normalizeAxis(gatherAxis, 2) !== 0 || normalizeAxis(quantizeAxis, 2) !== 1)
    return null;
  if (!isGroupSize(blockSize) || !scales) return null;
  if (!["uint8", "int4", "uint4"].includes(data!.dtype)) return null;
  const packed = data!.dtype === "uint8";
  const stored = packed ? bits : 4;
  if (stored === 2) return null;
  const [rows, width] = data!.shape as [number, number];
  const cols = packed ? (width * 8) / bits : width;
  const groups = Math.ceil(cols / blockSize);
  if (`${scales.shape}` !== `${[rows, groups]}` || rows * cols === 0) return null;
  // uint8 is packed around its middle; uint4 counts from 0 and int4 from -8 unless zero points say otherwise.
  const shift = data!.dtype === "int4" ? 8 : 0;
  const zeroRow = packed ? Math.ceil((groups * bits) / 8) : groups;
  if (zero && zero.size !== rows * zeroRow) return null;
  const [levels, zeros] = [data!.numbers(), zero?.numbers()];
  const codes = new Uint8Array(rows * cols);
  const zeroPoints = new Uint8Array(rows * groups).fill(packed ? 2 ** (bits - 1) : shift);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++)
      codes[row * cols + col] = packed ? unpackBits(levels, row * width, col, bits) : levels[row * cols + col]! + shift;
    if (zeros !== undefined)
      for (let g = 0; g < groups; g++)
        zeroPoints[row * groups + g] = packed
          ? unpackBits(zeros, row * zeroRow, g, bits)
          : zeros[row * groups + g]! + shift;
  }
  const matrix = { rows, cols, size: blockSize, bits: stored, codes, zeroPoints };
  const matrixStored = groupedMatrix({ ...matrix, scales: Float32Array.from(scales.numbers()) }, scales.dtype);
  return new SparseTensor([rows, cols], [0, 1], matrixStored);
}
