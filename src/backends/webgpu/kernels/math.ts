import { f32, type Piece, type Wgsl, wgsl } from "../wgsl/index.js";

/** What the functions below work on. */
export type FloatType = "f32" | "vec4<f32>";

const evaluateAt = (x: string, coefficients: readonly number[]): Piece =>
  coefficients.reduceRight<Piece>(
    (sum, c, i) => (i === coefficients.length - 1 ? f32(c) : wgsl`(${sum} * ${x} + ${f32(c)})`),
    "",
  );

/** 2/√π · (-1)ⁿ / (n! (2n + 1)): erf(x) = x · Σ aₙ x²ⁿ. */
const ERF_SERIES = Array.from({ length: 11 }, (_, n) => {
  let factorial = 1;
  for (let i = 2; i <= n; i++) factorial *= i;
  return ((2 / Math.sqrt(Math.PI)) * (-1) ** n) / (factorial * (2 * n + 1));
});

/** Abramowitz and Stegun 7.1.26, for x ≥ 0: absolute error 1.5e-7. */
const ERF_TAIL = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];

/** 1 / (n + 1)!: eˣ - 1 = x · Σ aₙ xⁿ. */
const EXPM1_SERIES = [1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040];

/** (-1)ⁿ / (2n + 1)!: sin(x) = x · Σ aₙ x²ⁿ, and (-1)ⁿ / (2n)!: cos(x) = Σ aₙ x²ⁿ, for |x| ≤ π / 4. */
const SINE_SERIES = [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880];
const COSINE_SERIES = [1, -1 / 2, 1 / 24, -1 / 720, 1 / 40320];

/** π / 2 in three parts; the first two have so few bits that their products with whole numbers up to 2^15 are exact (Cody and Waite). */
const QUARTER_TURN = [1.5703125, 4.83751296997e-4, 7.549789948768648e-8] as const;

/**
 * Functions that WGSL has not, or not for all arguments: `is_nan`, `exponential`, `logarithm`, `erf`, `expm1`, `safe_tanh`, `power`,
 * `log1p_exp`, `sine`, `cosine`. Absolute errors within 3e-7 beside those of WGSL's own exp and log. `opaque_zero` is a variable that is zero: WGSL has no constant
 * for NaN and infinities, and none that a compiler could see through.
 */
export function mathFunctions(type: FloatType): Piece {
  const [bool, u32, i32] = type === "f32" ? ["bool", "u32", "i32"] : ["vec4<bool>", "vec4<u32>", "vec4<i32>"];
  return wgsl`
    var<private> opaque_zero: u32 = 0u;
    fn is_nan(x: ${type}) -> ${bool} {
      return (bitcast<${u32}>(x) & ${u32}(0x7fffffffu)) > ${u32}(0x7f800000u);
    }
    fn exponential(x: ${type}) -> ${type} {
      return select(exp(x), x, is_nan(x));
    }
    fn logarithm(x: ${type}) -> ${type} {
      let infinity = bitcast<${type}>(${u32}(0x7f800000u | opaque_zero));
      let nan = bitcast<${type}>(${u32}(0x7fc00000u | opaque_zero));
      let finite = select(log(x), -infinity, x == ${type}(0.0f));
      return select(select(finite, nan, x < ${type}(0.0f)), x, is_nan(x) | (x == infinity));
    }
    fn erf(x: ${type}) -> ${type} {
      let square = x * x;
      let near = x * (${evaluateAt("square", ERF_SERIES)});
      let a = abs(x);
      let t = 1.0f / (1.0f + 0.3275911f * a);
      let far = 1.0f - t * (${evaluateAt("t", ERF_TAIL)}) * exp(-square);
      return select(far * sign(x), near, a < ${type}(1.0f));
    }
    fn expm1(x: ${type}) -> ${type} {
      return select(exp(x) - 1.0f, x * (${evaluateAt("x", EXPM1_SERIES)}), abs(x) < ${type}(0.5f));
    }
    fn safe_tanh(x: ${type}) -> ${type} {
      let twice = expm1(-2.0f * min(abs(x), ${type}(15.0f)));
      return select(sign(x) * (-twice / (twice + 2.0f)), x, is_nan(x));
    }
    fn log1p_exp(x: ${type}) -> ${type} {
      return max(x, ${type}(0.0f)) + log(1.0f + exp(-abs(x)));
    }
    fn sine_of_quarters(quarters: ${type}, rest: ${type}) -> ${type} {
      let square = rest * rest;
      let sine = rest * (${evaluateAt("square", SINE_SERIES)});
      let cosine = ${evaluateAt("square", COSINE_SERIES)};
      let phase = ${i32}(quarters) & ${i32}(3);
      let size = select(sine, cosine, (phase & ${i32}(1)) == ${i32}(1));
      return select(size, -size, phase >= ${i32}(2));
    }
    fn within_quarter(x: ${type}, quarters: ${type}) -> ${type} {
      return ((x - quarters * ${f32(QUARTER_TURN[0])}) - quarters * ${f32(QUARTER_TURN[1])}) - quarters * ${f32(QUARTER_TURN[2])};
    }
    fn sine(x: ${type}) -> ${type} {
      let quarters = round(x * ${f32(2 / Math.PI)});
      return sine_of_quarters(quarters, within_quarter(x, quarters));
    }
    fn cosine(x: ${type}) -> ${type} {
      let quarters = round(x * ${f32(2 / Math.PI)});
      return sine_of_quarters(quarters + 1.0f, within_quarter(x, quarters));
    }
    fn power(x: ${type}, y: ${type}) -> ${type} {
      let size = pow(abs(x), y);
      let odd = abs(y - 2.0f * trunc(0.5f * y)) == ${type}(1.0f);
      let nan = bitcast<${type}>(${u32}(0x7fc00000u | opaque_zero));
      let negative = select(select(size, -size, odd), nan, trunc(y) != y);
      let signed = select(size, negative, x < ${type}(0.0f));
      return select(signed, ${type}(1.0f), y == ${type}(0.0f));
    }
  `;
}

/**
 * An activation of `x`, an expression without side effects that is worth repeating (a variable). Names and parameters are those of
 * `ops/fused/activation.ts` and of the elementwise programs; needs `mathFunctions(type)`. Null for a name that is none.
 */
export function activation(name: string, params: readonly number[], x: Piece, type: FloatType): Wgsl | null {
  const [a = 0, b = 0] = params;
  const all = (value: number): Wgsl => wgsl`${type}(${f32(value)})`;
  const bounded = (value: number): Wgsl =>
    all(Math.max(-3.4028234663852886e38, Math.min(3.4028234663852886e38, value)));
  const zero = all(0);
  switch (name) {
    case "":
      return wgsl`${x}`;
    case "Relu":
      return wgsl`select(${x}, ${zero}, ${x} < ${zero})`;
    case "Gelu":
      return wgsl`(0.5f * ${x} * (1.0f + erf(${x} * ${f32(Math.SQRT1_2)})))`;
    case "FastGelu":
      return wgsl`(0.5f * ${x} * (1.0f + safe_tanh(${f32(Math.sqrt(2 / Math.PI))} * (${x} + 0.044715f * ${x} * ${x} * ${x}))))`;
    case "Swish":
      return wgsl`(${x} / (1.0f + exp(${f32(-(params[0] ?? 1))} * ${x})))`;
    case "Sigmoid":
      return wgsl`(1.0f / (1.0f + exp(-${x})))`;
    case "Tanh":
      return wgsl`safe_tanh(${x})`;
    case "HardSwish":
      return wgsl`(${x} * clamp(${x} * ${f32(1 / 6)} + 0.5f, ${zero}, ${all(1)}))`;
    case "HardSigmoid":
      return wgsl`clamp(${x} * ${f32(a)} + ${f32(b)}, ${zero}, ${all(1)})`;
    case "LeakyRelu":
      return wgsl`select(${x}, ${f32(a)} * ${x}, ${x} < ${zero})`;
    case "Elu":
      return wgsl`select(${x}, ${f32(a)} * expm1(${x}), ${x} < ${zero})`;
    case "Celu":
      return wgsl`select(${x}, ${f32(a)} * expm1(${x} / ${f32(a)}), ${x} < ${zero})`;
    case "Selu":
      return wgsl`(${f32(b)} * select(${x}, ${f32(a)} * expm1(${x}), ${x} < ${zero}))`;
    case "Clip":
      return wgsl`min(max(${x}, ${bounded(a)}), ${bounded(b)})`;
    case "Softplus":
      return wgsl`log1p_exp(${x})`;
    case "Softsign":
      return wgsl`(${x} / (1.0f + abs(${x})))`;
    case "Mish":
      return wgsl`(${x} * safe_tanh(log1p_exp(${x})))`;
    case "ThresholdedRelu":
      return wgsl`select(${zero}, ${x}, ${x} > ${all(a)})`;
    default:
      return null;
  }
}
