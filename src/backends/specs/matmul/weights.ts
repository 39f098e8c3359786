import type { Constant } from "../../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix, type ValueDataType } from "../../../layouts/index.js";
import { float16ToNumber, type Tensor } from "../../../tensor/index.js";

/** A sparse weight's stored entries by row: row r has the entries start[r] to start[r + 1], columns ascending. */
export interface Entries {
  readonly rows: number;
  readonly cols: number;
  readonly start: Uint32Array;
  readonly columns: Uint32Array;
  /** Raw bits or numbers, as `values` says. */
  readonly values: Float32Array | Uint16Array | Int8Array;
  readonly dtype: ValueDataType;
  /** One factor a row, with int8. */
  readonly scales: Float32Array | null;
}

/** Rows [begin, end) of a sparse weight's matrix, whatever its layout. */
export function entriesOf(weight: SparseTensor, [begin, end]: RowRange): Entries {
  const { stored } = weight;
  const layout = parseLayout(stored.layout);
  const start = new Uint32Array(end - begin + 1);
  layout.visit(stored, (row) => {
    if (row >= begin && row < end) start[row - begin + 1]!++;
  });
  for (let r = 0; r < end - begin; r++) start[r + 1]! += start[r]!;
  const count = start[end - begin]!;
  const columns = new Uint32Array(count);
  const places = new Uint32Array(count);
  const next = start.slice();
  layout.visit(stored, (row, col, index) => {
    if (row < begin || row >= end) return;
    const at = next[row - begin]!++;
    columns[at] = col;
    places[at] = index;
  });
  const part = stored.parts.values!;
  const from = part.data as Float32Array | Uint16Array | Int8Array;
  let dtype = part.dtype as ValueDataType;
  let values =
    from.constructor === Float32Array
      ? new Float32Array(count)
      : from instanceof Int8Array
        ? new Int8Array(count)
        : new Uint16Array(count);
  for (let i = 0; i < count; i++) values[i] = from[places[i]!]!;
  if (dtype === "float16" && values.some((bits) => (bits & 0x7c00) === 0x7c00)) {
    // The kernels' widening knows finite numbers only.
    values = Float32Array.from(values as Uint16Array, float16ToNumber);
    dtype = "float32";
  }
  const scales = stored.parts.scales;
  return {
    rows: end - begin,
    cols: stored.cols,
    start,
    columns,
    values,
    dtype,
    scales: scales === undefined ? null : (scales.data as Float32Array).subarray(begin, end),
  };
}

/** First row and the row after the last. */
export type RowRange = readonly [begin: number, end: number];

/** Rows [begin, end) of a dense weight as a matrix [outputs, inputs] under `perm`. */
export function denseRows(weight: Tensor, perm: readonly number[], [begin, end]: RowRange): Float32Array {
  const rows = weight.shape[perm[0]!]!;
  const cols = rows === 0 ? 0 : weight.size / rows;
  if (perm.every((axis, i) => axis === i))
    return Float32Array.from(weight.numbers().subarray(begin * cols, end * cols));
  if (perm.length === 2) {
    const from = weight.numbers();
    const out = new Float32Array((end - begin) * cols);
    for (let k = 0; k < cols; k++) for (let m = begin; m < end; m++) out[(m - begin) * cols + k] = from[k * rows + m]!;
    return out;
  }
  return toMatrix(weight, perm).data.slice(begin * cols, end * cols);
}

export const isSparse = (weight: Constant): weight is SparseTensor => weight instanceof SparseTensor;
