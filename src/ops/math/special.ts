/** Special functions that JavaScript's Math lacks, in double. */

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** The error function, with a relative error of about 1e-15. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 2) return x < 0 ? erfcOfLarge(magnitude) - 1 : 1 - erfcOfLarge(magnitude);
  return erfOfSmall(x);
}

/** 1 - erf(x), without the cancellation where erf(x) is near 1. */
export function erfc(x: number): number {
  if (x > 2) return erfcOfLarge(x);
  return 1 - erf(x);
}

/** Kummer's series, 2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms all have one sign. */
function erfOfSmall(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}

/** Laplace's continued fraction, e^(-x²)/√π · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))), for x > 2; NaN for NaN. */
function erfcOfLarge(x: number): number {
  if (x > 28) return 0; // below the smallest double
  let tail = x;
  for (let n = 100; n > 0; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
}

/** log(1 + e^x) without overflow. */
export const softplusOf = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** 1 / (1 + e^-x). */
export const sigmoidOf = (x: number): number => 1 / (1 + Math.exp(-x));
