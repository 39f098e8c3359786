import type { Constant } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import type { Tensor } from "../../../../tensor/index.js";
import { entriesOf } from "../../../specs/matmul/weights.js";
import type { Form } from "./quantize.js";

/** A dense weight [K, M] of levels as rows [M, K], less the zero point of each row. */
export function centeredRows(weight: Tensor, zeroPoints: ArrayLike<number> | null): Int16Array {
  const [K, M] = weight.shape as [number, number];
  const levels = weight.data as Int8Array | Uint8Array;
  const rows = new Int16Array(M * K);
  for (let k = 0; k < K; k++) {
    for (let m = 0; m < M; m++) rows[m * K + k] = levels[k * M + m]!;
  }
  if (zeroPoints !== null && Array.prototype.some.call(zeroPoints, (zero) => zero !== 0)) {
    for (let m = 0; m < M; m++) {
      const zero = zeroPoints[zeroPoints.length === 1 ? 0 : m]!;
      for (let k = 0; k < K; k++) rows[m * K + k]! -= zero;
    }
  }
  return rows;
}

/** True where every level less its zero point is an int8, as `quads` need it. */
export function fitsBytes(weight: Constant, zeroPoints: ArrayLike<number> | null): boolean {
  const centered = zeroPoints === null || Array.prototype.every.call(zeroPoints, (zero) => zero === 0);
  return centered && weight.dtype === "int8";
}

/** Sums of the rows of a constant, dense [K, M] or sparse, of levels whose zero point is 0. */
export function rowSums(weight: Constant, M: number): Int32Array {
  const sums = new Int32Array(M);
  if (weight instanceof SparseTensor) {
    const { start, values } = entriesOf(weight, [0, M]);
    for (let m = 0; m < M; m++) for (let i = start[m]!; i < start[m + 1]!; i++) sums[m]! += values[i]!;
    return sums;
  }
  const levels = weight.data as Int8Array;
  for (let i = 0; i < levels.length; i++) sums[i % M]! += levels[i]!;
  return sums;
}

/** Writes rows [M, K] of levels as rows of `words` words each, in `pairs` or `quads`; `target` is zeroed. */
export function writeWords(rows: Int16Array, K: number, words: number, form: Form, target: Uint8Array): void {
  const M = rows.length / K;
  const levels =
    form === "quads"
      ? new Int8Array(target.buffer, target.byteOffset, target.byteLength)
      : new Int16Array(target.buffer, target.byteOffset, target.byteLength / 2);
  const stride = words * (form === "quads" ? 4 : 2);
  for (let m = 0; m < M; m++) levels.set(rows.subarray(m * K, (m + 1) * K), m * stride);
}
