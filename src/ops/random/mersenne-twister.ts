/** Uniform numbers in [0, 1), 53 bits each. */
export type Uniform = () => number;

const STATE = 624;
const SHIFT = 397;

/**
 * MT19937 (Matsumoto & Nishimura 1998) seeded with 32 bits, two outputs a number: the stream of NumPy's
 * RandomState(seed).random_sample(), which ONNX's reference implementation draws from.
 */
export function mersenneTwister(seed: number): Uniform {
  const state = new Uint32Array(STATE);
  state[0] = seed;
  for (let i = 1; i < STATE; i++) {
    const previous = state[i - 1]!;
    state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
  }
  let at = STATE;
  const next = (): number => {
    if (at === STATE) {
      twist(state);
      at = 0;
    }
    let bits = state[at++]!;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  };
  return () => {
    const high = next() >>> 5;
    return (high * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
  };
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < STATE; i++) {
    const bits = (state[i]! & 0x80000000) | (state[(i + 1) % STATE]! & 0x7fffffff);
    state[i] = state[(i + SHIFT) % STATE]! ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
  }
}

/** The stream of a seed (whole part, modulo 2^32); another one each time where there is no seed. */
export const uniformOf = (seed: number | null): Uniform =>
  mersenneTwister(seed === null ? Math.floor(Math.random() * 2 ** 32) : Math.trunc(seed));

/** Normal numbers of mean 0 and variance 1 by Marsaglia's polar method, in NumPy's order. */
export function normalOf(uniform: Uniform): () => number {
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spare = factor * x;
      return factor * y;
    }
  };
}
