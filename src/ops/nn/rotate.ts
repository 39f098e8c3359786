import { NonzeroError } from "../../tensor/index.js";
import type { HeadStrides } from "./attend.js";

/**
 * Rotary position embedding in place: of each head vector of x (batch, heads, rows) the first `size` elements are rotated in
 * pairs, (i, i + size/2), or interleaved (2i, 2i + 1), by the angles whose cosines and sines are row
 * `positionOf(batch, row)` of cos and sin [positions, size/2] (https://arxiv.org/abs/2104.09864).
 * @throws NonzeroError "shape" when a position is outside the caches.
 */
export function rotate(
  x: Float32Array | Float64Array,
  counts: readonly [number, number, number],
  strides: HeadStrides,
  size: number,
  cos: ArrayLike<number>,
  sin: ArrayLike<number>,
  interleaved: boolean,
  positionOf: (batch: number, row: number) => number,
): void {
  const [batch, heads, rows] = counts;
  const half = size / 2;
  const positions = half === 0 ? 0 : Math.min(cos.length, sin.length) / half;
  const step = interleaved ? 2 : 1;
  const apart = interleaved ? 1 : half;
  for (let n = 0; n < batch; n++) {
    for (let r = 0; r < rows; r++) {
      const position = positionOf(n, r);
      if (!(position >= 0 && position < positions))
        throw new NonzeroError("shape", `position ${position} is outside the ${positions} of the cos and sin caches`);
      for (let h = 0; h < heads; h++) {
        const at = n * strides.batch + h * strides.head + r * strides.row;
        for (let i = 0; i < half; i++) {
          const c = cos[position * half + i]!;
          const s = sin[position * half + i]!;
          const a = x[at + i * step]!;
          const b = x[at + i * step + apart]!;
          x[at + i * step] = c * a - s * b;
          x[at + i * step + apart] = s * a + c * b;
        }
      }
    }
  }
}
