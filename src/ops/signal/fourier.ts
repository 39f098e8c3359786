/** A line of complex numbers. */
export interface ComplexLine {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export const complexLine = (length: number): ComplexLine => ({
  re: new Float64Array(length),
  im: new Float64Array(length),
});

/** Cosine and sine of 2πk / n for k = 0 … n − 1. */
export function rootsOfUnity(n: number): ComplexLine {
  const roots = complexLine(n);
  for (let k = 0; k < n; k++) {
    roots.re[k] = Math.cos((2 * Math.PI * k) / n);
    roots.im[k] = Math.sin((2 * Math.PI * k) / n);
  }
  return roots;
}

/**
 * The first `to.re.length` bins of the discrete Fourier transform of `from` by its definition, Σ from[t] · e^(∓2πi·k·t/n),
 * the inverse divided by n. `roots` are those of n = from.re.length.
 */
export function transform(from: ComplexLine, to: ComplexLine, roots: ComplexLine, inverse: boolean): void {
  const n = from.re.length;
  const sign = inverse ? 1 : -1;
  const scale = inverse ? 1 / n : 1;
  for (let k = 0; k < to.re.length; k++) {
    let [re, im] = [0, 0];
    for (let t = 0, angle = 0; t < n; t++) {
      const cos = roots.re[angle]!;
      const sin = sign * roots.im[angle]!;
      re += from.re[t]! * cos - from.im[t]! * sin;
      im += from.re[t]! * sin + from.im[t]! * cos;
      angle += k;
      if (angle >= n) angle -= n;
    }
    to.re[k] = re * scale;
    to.im[k] = im * scale;
  }
}
