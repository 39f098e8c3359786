import { normal, uniform } from "../../src/cli/inputs.js";

/** Normal numbers that all weights are cut from: drawing hundreds of millions takes minutes. */
const POOL = 2 ** 21 + 7;
let pool: Float32Array | undefined;

/** Normal numbers with mean 0; another seed gives others. */
export function normals(size: number, scale: number, seed: number): Float32Array {
  if (pool === undefined) {
    const next = uniform(1);
    pool = Float32Array.from({ length: POOL }, () => normal(next));
  }
  const values = new Float32Array(size);
  for (let i = 0, at = (seed * 104_729) % POOL; i < size; i++) {
    values[i] = scale * pool[at]!;
    if (++at === POOL) at = 0;
  }
  return values;
}
