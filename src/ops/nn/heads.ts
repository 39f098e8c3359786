import type { Dim } from "../../graph/index.js";
import { allocate, NonzeroError, type NumericArray, Tensor } from "../../tensor/index.js";
import type { AttentionBias } from "./attend.js";
import { divideDim } from "./dims.js";

/** Rearranging what attention reads: heads split out of the hidden axis, caches joined, masks as biases. */

/** [batch, rows, heads · size] as [batch, heads, rows, size]; a tensor of four axes stays as it is. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  if (x.shape.length === 4) return x;
  const [batch, rows, hidden] = x.shape as [number, number, number];
  if (x.shape.length !== 3 || hidden % heads !== 0)
    throw new NonzeroError("shape", `[${x.shape}] does not split into ${heads} heads`);
  const size = hidden / heads;
  const from = x.data as NumericArray;
  const data = allocate(x.dtype, from.length) as Float32Array;
  for (let n = 0; n < batch; n++) {
    for (let r = 0; r < rows; r++) {
      for (let h = 0; h < heads; h++) {
        const at = ((n * rows + r) * heads + h) * size;
        data.set(from.subarray(at, at + size) as Float32Array, ((n * heads + h) * rows + r) * size);
      }
    }
  }
  return new Tensor(x.dtype, [batch, heads, rows, size], data);
}

/** [batch, heads, past, size] and [batch, heads, rows, size] joined along the rows. */
export function joinRows(past: Tensor | null | undefined, x: Tensor): Tensor {
  if (past == null) return x;
  const [batch, heads, rows, size] = x.shape as [number, number, number, number];
  const before = past.shape[2]!;
  if (past.shape.length !== 4 || past.shape[0] !== batch || past.shape[1] !== heads || past.shape[3] !== size)
    throw new NonzeroError("shape", `the past [${past.shape}] does not fit [${x.shape}]`);
  if (past.dtype !== x.dtype) throw new NonzeroError("shape", `the past is ${past.dtype}, not ${x.dtype}`);
  const [first, second] = [past.data as NumericArray, x.data as NumericArray];
  const data = allocate(x.dtype, first.length + second.length) as Float32Array;
  for (let n = 0; n < batch * heads; n++) {
    const at = n * (before + rows) * size;
    data.set(first.subarray(n * before * size, (n + 1) * before * size) as Float32Array, at);
    data.set(second.subarray(n * rows * size, (n + 1) * rows * size) as Float32Array, at + before * size);
  }
  return new Tensor(x.dtype, [batch, heads, before + rows, size], data);
}

/**
 * A mask that broadcasts to (batch, heads, queries, keys) as a bias: bool true is 0 and false −Infinity, numbers are added.
 * Its last axis may be shorter than `keys`; the keys beyond it are hidden.
 */
export function maskBias(mask: Tensor, full: readonly [number, number, number, number]): AttentionBias {
  const rank = mask.shape.length;
  if (rank > 4) throw new NonzeroError("shape", `a mask of shape [${mask.shape}]`);
  const keys = mask.shape[rank - 1] ?? 1;
  const strides: [number, number, number, number] = [0, 0, 0, 0];
  let stride = 1;
  for (let axis = 3; axis >= 4 - rank; axis--) {
    const dim = mask.shape[axis - (4 - rank)]!;
    const fits = axis === 3 ? dim <= full[3] : dim === full[axis] || dim === 1;
    if (!fits) throw new NonzeroError("shape", `a mask of shape [${mask.shape}] for scores of shape [${full}]`);
    strides[axis] = dim === 1 && axis < 3 ? 0 : stride;
    stride *= dim;
  }
  const numbers = mask.numbers();
  const values =
    mask.dtype === "bool" ? Float64Array.from(numbers, (seen) => (seen !== 0 ? 0 : Number.NEGATIVE_INFINITY)) : numbers;
  return { values, strides, keys: rank === 0 ? full[3] : keys };
}

/** Dimensions [batch, heads, rows, size] of an input of three or four axes; null when unknown. */
export function headDims(shape: readonly Dim[] | null, heads: number | null): readonly [Dim, Dim, Dim, Dim] | null {
  if (shape === null) return null;
  if (shape.length === 4) return shape as unknown as readonly [Dim, Dim, Dim, Dim];
  if (shape.length !== 3 || heads === null)
    throw new NonzeroError("shape", `attention takes four axes, or three and a number of heads, not [${shape}]`);
  return [shape[0]!, heads, shape[1]!, divideDim(shape[2]!, heads, "the hidden size")];
}
