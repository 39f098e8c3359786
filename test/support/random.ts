import { type DataType, sizeOf, Tensor } from "../../src/tensor/index.js";

/** Numbers from [0, 1), the same for the same seed (Mulberry32). */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A tensor of uniform numbers from [low, high). */
export function randomTensor(
  random: () => number,
  shape: readonly number[],
  low = -1,
  high = 1,
  dtype: DataType = "float32",
): Tensor {
  return Tensor.from(
    dtype,
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => low + random() * (high - low)),
  );
}
