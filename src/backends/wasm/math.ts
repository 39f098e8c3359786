import { unsigned } from "./asm/encoding.js";
import { Expr, type Func, f32x4, f64x2, i32x4, Local, type V128, v128 } from "./asm/index.js";
import type { DeviceInfo } from "./kernel.js";

/**
 * Elementary functions of four floats at once, as expressions: polynomials after range reduction, fitted for the least
 * maximal error. An operand is evaluated once, so it may be any expression, other functions of this file included.
 * Errors are stated in ulp (units in the last place of the float32 result), against the exact value, without fused
 * multiply-add; a result below 2^-118 may be flushed to zero. NaN gives NaN.
 */

/**
 * `body` of values that it may read again and again: each is evaluated once, into a temporary of `f`.
 * What `body` reads besides must be made inside it, be a local, or use no temporaries: temporaries are used again.
 */
export function bind(f: Func, values: readonly V128[], body: (...locals: Local<"v128">[]) => V128): V128 {
  const temporaries: Local<"v128">[] = [];
  const code: number[] = [];
  const locals = values.map((value) => {
    if (value instanceof Local) return value as Local<"v128">;
    const local = f.local("v128");
    temporaries.push(local);
    code.push(...value.bytes);
    return local;
  });
  for (const local of [...temporaries].reverse()) code.push(0x21, ...unsigned(local.index)); // local.set
  const result = body(...locals);
  f.free(...temporaries);
  return new Expr("v128", [...code, ...result.bytes]);
}

/** a·b + c, rounded once where the device fuses. */
export const madd = (a: V128, b: V128, c: V128, device: DeviceInfo): V128 =>
  device.relaxed ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);

/** c0 + c1·x + c2·x² + … by Horner's rule; `x` is read once for each power: pass a local. */
function polynomial(coefficients: readonly number[], x: Local<"v128">, device: DeviceInfo): V128 {
  return coefficients
    .slice(0, -1)
    .reduceRight<V128>((sum, c) => madd(sum, x, f32x4.const(c), device), f32x4.const(coefficients.at(-1)!));
}

const polynomial64 = (coefficients: readonly number[], x: Local<"v128">): V128 =>
  coefficients
    .slice(0, -1)
    .reduceRight<V128>((sum, c) => f64x2.add(f64x2.mul(sum, x), f64x2.const(c)), f64x2.const(coefficients.at(-1)!));

/** 2^exponent · 2^n in the exponent bits, for n held in the low bits of `shifted` = n + MAGIC. */
const power2 = (shifted: V128, exponent: number): V128 =>
  i32x4.add(i32x4.shl(shifted, 23), i32x4.const((127 + exponent) << 23));

/** Adding it to a float rounds that to an integer, which is left in the low bits. */
const MAGIC = 1.5 * 2 ** 23;

const { LOG2E } = Math;
const LN2_HIGH = 0.693359375; // 9 bits: times an integer below 2^14 it is exact
const LN2_LOW = -2.1219444005469057e-4;

/** (e^r - 1 - r) / r² for |r| ≤ ln(2)/2. */
const EXP = [0.4999999403953552, 0.1666651964187622, 0.04166840761899948, 0.00836889911442995, 0.0013814219273626804];

/** x = n·ln2 + r: calls `body` with n + MAGIC, r and (e^r - 1). */
function reduceExp(
  f: Func,
  x: V128,
  device: DeviceInfo,
  body: (shifted: Local<"v128">, expm1: Local<"v128">) => V128,
): V128 {
  return bind(f, [x], (x) =>
    bind(f, [madd(x, f32x4.const(LOG2E), f32x4.const(MAGIC), device)], (shifted) => {
      const n = f32x4.sub(shifted, f32x4.const(MAGIC));
      const r = bind(f, [n], (n) => madd(n, f32x4.const(-LN2_LOW), madd(n, f32x4.const(-LN2_HIGH), x, device), device));
      const expm1 = bind(f, [r], (r) => madd(f32x4.mul(r, r), polynomial(EXP, r, device), r, device));
      return bind(f, [expm1], (expm1) => body(shifted, expm1));
    }),
  );
}

const clamp = (x: V128, low: number, high: number): V128 =>
  f32x4.pmin(f32x4.pmax(x, f32x4.const(low)), f32x4.const(high));

/** e^x; 2 ulp. Infinity above 88.73, zero below -86.99. */
export const exp = (f: Func, x: V128, device: DeviceInfo): V128 =>
  reduceExp(f, clamp(x, -87.3, 89), device, (shifted, expm1) => {
    const halved = bind(f, [power2(shifted, -1)], (half) => madd(half, expm1, half, device));
    return bind(f, [halved], (halved) => f32x4.add(halved, halved));
  });

/** e^x - 1, also near 0; 2 ulp. Infinity above 88.73. */
export const expm1 = (f: Func, x: V128, device: DeviceInfo): V128 =>
  reduceExp(f, clamp(x, -40, 89), device, (shifted, expm1) =>
    bind(f, [power2(shifted, -1)], (half) => {
      const halved = madd(half, expm1, f32x4.sub(half, f32x4.const(0.5)), device);
      return bind(f, [halved], (halved) => f32x4.add(halved, halved));
    }),
  );

/** 2^r for |r| ≤ 1/2. */
const EXP2 = [
  1, 0.6931471824645996, 0.24022647738456726, 0.055503323674201965, 0.00961843691766262, 0.0013398875016719103,
  0.00015353360504377633,
];

/** 2^x for x < 127; 1 ulp. Zero below -126.5. */
export const exp2 = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [f32x4.pmax(x, f32x4.const(-127))], (x) =>
    bind(f, [f32x4.add(x, f32x4.const(MAGIC))], (shifted) => {
      const r = f32x4.sub(x, f32x4.sub(shifted, f32x4.const(MAGIC)));
      return f32x4.mul(
        bind(f, [r], (r) => polynomial(EXP2, r, device)),
        power2(shifted, 0),
      );
    }),
  );

const SQRT_HALF_BITS = 0x3f3504f3;

/** |x| = m·2^e with m in [√½, √2): calls `body` with m - 1 and e, both floats. Meaningless for 0, infinity and NaN. */
function splitExponent(f: Func, x: V128, body: (fraction: Local<"v128">, e: Local<"v128">) => V128): V128 {
  return bind(f, [f32x4.abs(x)], (x) =>
    bind(f, [f32x4.lt(x, f32x4.const(2 ** -126))], (subnormal) => {
      const normal = v128.bitselect(f32x4.mul(x, f32x4.const(2 ** 23)), x, subnormal);
      return bind(f, [i32x4.sub(normal, i32x4.const(SQRT_HALF_BITS))], (bits) => {
        const m = i32x4.add(v128.and(bits, i32x4.const(0x7fffff)), i32x4.const(SQRT_HALF_BITS));
        const e = i32x4.add(i32x4.shr_s(bits, 23), v128.and(subnormal, i32x4.const(-23)));
        return bind(f, [f32x4.sub(m, f32x4.const(1)), f32x4.convert_i32x4_s(e)], body);
      });
    }),
  );
}

/** (ln((1+s)/(1-s)) / s - 2) / s² as a polynomial of s² for |s| ≤ 0.1717. */
const LOG = [0.6666666269302368, 0.4000033736228943, 0.2853720486164093, 0.2358424812555313];

/** Natural logarithm; 1 ulp. -Infinity at 0, NaN below. */
export const log = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) => {
    const finite = splitExponent(f, x, (t, e) =>
      bind(f, [f32x4.div(t, f32x4.add(t, f32x4.const(2)))], (s) =>
        bind(f, [f32x4.mul(s, s), f32x4.mul(f32x4.mul(t, t), f32x4.const(0.5))], (z, halfSquare) => {
          const rest = f32x4.mul(z, polynomial(LOG, z, device));
          const low = madd(e, f32x4.const(LN2_LOW), f32x4.mul(s, f32x4.add(halfSquare, rest)), device);
          return madd(e, f32x4.const(LN2_HIGH), f32x4.sub(t, f32x4.sub(halfSquare, low)), device);
        }),
      ),
    );
    const nonnegative = v128.bitselect(f32x4.const(Number.NEGATIVE_INFINITY), finite, f32x4.eq(x, f32x4.const(0)));
    const ordinary = v128.and(f32x4.ge(x, f32x4.const(0)), f32x4.lt(x, f32x4.const(Number.POSITIVE_INFINITY)));
    return v128.bitselect(nonnegative, f32x4.sqrt(x), ordinary); // √: NaN below 0, infinity at infinity
  });

/** ln(1 + x), also near 0; 3 ulp for x ≥ 0. */
const log1p = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) =>
    bind(f, [f32x4.add(x, f32x4.const(1))], (u) => {
      const lost = f32x4.sub(x, f32x4.sub(u, f32x4.const(1)));
      return f32x4.add(log(f, u, device), f32x4.div(lost, u));
    }),
  );

const SIGN = 0x80000000 | 0;

/** `magnitude` (not negative) with the sign of `sign`. */
const withSign = (magnitude: V128, sign: V128): V128 => v128.or(magnitude, v128.and(sign, i32x4.const(SIGN)));

/** Hyperbolic tangent; 2 ulp. */
export const tanh = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) => {
    const doubled = f32x4.pmin(f32x4.abs(f32x4.add(x, x)), f32x4.const(20));
    const magnitude = bind(f, [expm1(f, doubled, device)], (e) => f32x4.div(e, f32x4.add(e, f32x4.const(2))));
    return withSign(magnitude, x);
  });

/** erf(x)/x - 1 as a polynomial of x² for |x| ≤ 0.85. */
const ERF_SMALL = [
  0.12837916612625122, -0.3761257529258728, 0.11282770335674286, -0.02680458500981331, 0.005054292269051075,
  -0.0006332721677608788,
];
/** log2(1 - erf(x)) for 0.84 ≤ x ≤ 4. */
const ERFC_LOG2 = [
  -9.390663035446778e-5, -1.1281071901321411, -0.636437177658081, -0.10460105538368225, 0.022556858137249947,
  -0.003127723466604948, 0.0002047206653514877,
].map((c) => c * LOG2E);

/** Error function; 2 ulp. */
export const erf = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) =>
    bind(f, [f32x4.pmin(f32x4.abs(x), f32x4.const(4))], (t) => {
      const small = bind(f, [f32x4.mul(t, t)], (z) => madd(t, polynomial(ERF_SMALL, z, device), t, device));
      const large = f32x4.sub(f32x4.const(1), exp2(f, polynomial(ERFC_LOG2, t, device), device));
      return withSign(v128.bitselect(small, large, f32x4.lt(t, f32x4.const(0.85))), x);
    }),
  );

/** Logistic function 1 / (1 + e^-x); 2 ulp. */
export const sigmoid = (f: Func, x: V128, device: DeviceInfo): V128 =>
  f32x4.div(f32x4.const(1), f32x4.add(exp(f, f32x4.neg(x), device), f32x4.const(1)));

/** x · sigmoid(scale · x): Swish, SiLU; 4 ulp. */
const swish = (f: Func, x: V128, device: DeviceInfo, scale = 1): V128 =>
  bind(f, [x], (x) => f32x4.div(x, f32x4.add(exp(f, f32x4.mul(x, f32x4.const(-scale)), device), f32x4.const(1))));

/** log2(erfc(x/√2) / 2) for 0 ≤ x ≤ 6, going on downwards beyond. */
const GELU_LOG2 = [
  -0.6931462287902832, -0.7979117631912231, -0.3181421756744385, -0.036765553057193756, 0.005352954380214214,
  -0.0003959698951803148, -1.964063812920358e-5, 6.7592973209684715e-6, -4.154878183726396e-7,
].map((c) => c * LOG2E);

/** x·Φ(x) = max(x, 0) - |x|·erfc(|x|/√2)/2; absolute error 2e-7 + 2 ulp. */
export const gelu = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) =>
    bind(f, [f32x4.pmin(f32x4.abs(x), f32x4.const(20))], (t) => {
      const tail = f32x4.mul(t, exp2(f, polynomial(GELU_LOG2, t, device), device));
      return f32x4.sub(f32x4.pmax(x, f32x4.const(0)), tail);
    }),
  );

/** x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))), as x · sigmoid of twice tanh's argument; relative error 1e-6 · (1 + x²). */
export const fastGelu = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) => {
    const c = -2 * Math.sqrt(2 / Math.PI);
    const scale = madd(f32x4.mul(x, x), f32x4.const(0.044715 * c), f32x4.const(c), device);
    return f32x4.div(x, f32x4.add(exp(f, f32x4.mul(scale, x), device), f32x4.const(1)));
  });

/** ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|); 3 ulp. */
export const softplus = (f: Func, x: V128, device: DeviceInfo): V128 =>
  bind(f, [x], (x) => {
    const rest = log1p(f, exp(f, f32x4.neg(f32x4.abs(x)), device), device);
    return f32x4.add(f32x4.pmax(x, f32x4.const(0)), rest);
  });

const SIN = [-0.1666666716337204, 0.008333328180015087, -0.00019838972366414964, 2.714965830818983e-6];
const COS = [0.04166664183139801, -0.0013887082459405065, 2.4406001102761365e-5];

/** The high two lanes in the low two. */
const high = (x: V128): V128 => v128.shuffle32(x, x, [2, 3, 2, 3]);
/** The low two lanes of both. */
const joinLow = (f: Func, low: V128, high: V128): V128 =>
  bind(f, [low, high], (low, high) => v128.shuffle32(low, high, [0, 1, 4, 5]));

/** sin(x + quarter·π/2), the argument reduced in double precision. */
const circular = (f: Func, x: V128, device: DeviceInfo, quarter: 0 | 1): V128 =>
  bind(f, [x], (x) => {
    const turns = (half: V128): V128 =>
      f64x2.nearest(f64x2.mul(f64x2.promote_low_f32x4(half), f64x2.const(2 / Math.PI)));
    const rest = (half: V128): V128 =>
      bind(f, [half], (half) =>
        f64x2.demote_zero_f32x4(
          f64x2.sub(f64x2.promote_low_f32x4(half), f64x2.mul(turns(half), f64x2.const(Math.PI / 2))),
        ),
      );
    const quadrant = joinLow(f, f64x2.trunc_sat_zero_i32x4_s(turns(x)), f64x2.trunc_sat_zero_i32x4_s(turns(high(x))));
    return bind(f, [joinLow(f, rest(x), rest(high(x))), i32x4.add(quadrant, i32x4.const(quarter))], (r, q) =>
      bind(f, [f32x4.mul(r, r)], (z) => {
        const sine = madd(f32x4.mul(r, z), polynomial(SIN, z, device), r, device);
        const half = madd(z, f32x4.const(-0.5), f32x4.const(1), device);
        const cosine = madd(f32x4.mul(z, z), polynomial(COS, z, device), half, device);
        const odd = i32x4.neg(v128.and(q, i32x4.const(1)));
        const sign = i32x4.shl(v128.and(q, i32x4.const(2)), 30);
        return v128.xor(v128.bitselect(cosine, sine, odd), sign);
      }),
    );
  });

/** Sine; absolute error 1e-7 + |x|·2^-52 for |x| < 2^31, meaningless beyond. */
export const sin = (f: Func, x: V128, device: DeviceInfo): V128 => circular(f, x, device, 0);
/** Cosine; absolute error 1e-7 + |x|·2^-52 for |x| < 2^31, meaningless beyond. */
export const cos = (f: Func, x: V128, device: DeviceInfo): V128 => circular(f, x, device, 1);

/** As LOG, in double precision. */
const LOG64 = [
  2, 0.6666666666658648, 0.4000000005268022, 0.285714170584789, 0.22223377085509563, 0.18123458509010745,
  0.1682213628175205,
];

/** x to the power of y as IEEE 754 has it; 3 ulp: the logarithm and its product with y are double. */
export const pow = (f: Func, x: V128, y: V128, device: DeviceInfo): V128 =>
  bind(f, [x, y], (x, y) => {
    const infinity = f32x4.const(Number.POSITIVE_INFINITY);
    const magnitude = splitExponent(f, x, (t, e) => {
      /** log2|x| · y in the low two lanes of t, e, x, y. */
      const product = (pick: (v: V128) => V128): V128 => {
        const fraction = f64x2.promote_low_f32x4(pick(t));
        const log2 = bind(f, [fraction], (t) =>
          bind(f, [f64x2.div(t, f64x2.add(t, f64x2.const(2)))], (s) =>
            bind(f, [f64x2.mul(s, s)], (z) =>
              f64x2.add(
                f64x2.promote_low_f32x4(pick(e)),
                f64x2.mul(f64x2.mul(s, f64x2.const(LOG2E)), polynomial64(LOG64, z)),
              ),
            ),
          ),
        );
        const limited = f64x2.mul(log2, f64x2.promote_low_f32x4(pick(y)));
        return f64x2.pmin(f64x2.pmax(limited, f64x2.const(-250)), f64x2.const(250));
      };
      const low = (v: V128): V128 => v;
      return bind(f, [product(low), product(high)], (a, b) =>
        bind(f, [f64x2.nearest(a), f64x2.nearest(b)], (na, nb) => {
          const r = joinLow(f, f64x2.demote_zero_f32x4(f64x2.sub(a, na)), f64x2.demote_zero_f32x4(f64x2.sub(b, nb)));
          const n = joinLow(f, f64x2.trunc_sat_zero_i32x4_s(na), f64x2.trunc_sat_zero_i32x4_s(nb));
          return bind(f, [r, n], (r, n) =>
            bind(f, [i32x4.shr_s(n, 1)], (half) => {
              const scale = (k: V128): V128 => i32x4.shl(i32x4.add(k, i32x4.const(127)), 23);
              const scaled = f32x4.mul(polynomial(EXP2, r, device), scale(half));
              return f32x4.mul(scaled, scale(i32x4.sub(n, half)));
            }),
          );
        }),
      );
    });
    // |x| of 0 or infinity: 0 or infinity, as y is above or below 0.
    const isZero = f32x4.eq(x, f32x4.const(0));
    const isInfinite = f32x4.eq(f32x4.abs(x), infinity);
    const grows = v128.xor(isZero, f32x4.gt(y, f32x4.const(0)));
    const isOne = v128.or(f32x4.eq(x, f32x4.const(1)), v128.and(f32x4.eq(x, f32x4.const(-1)), f32x4.eq(y, y)));
    const extreme = v128.bitselect(
      v128.bitselect(v128.and(infinity, grows), magnitude, v128.and(v128.or(isZero, isInfinite), f32x4.eq(y, y))),
      f32x4.const(1),
      v128.not(v128.or(f32x4.eq(y, f32x4.const(0)), isOne)),
    );
    const fraction = (v: V128): V128 => bind(f, [v], (v) => f32x4.ne(v, f32x4.trunc(v)));
    return bind(f, [extreme, fraction(y)], (result, fractional) => {
      const odd = v128.andnot(fraction(f32x4.mul(y, f32x4.const(0.5))), fractional);
      const signed = v128.or(result, v128.and(v128.and(x, i32x4.const(SIGN)), odd));
      const isRoot = v128.and(
        v128.and(f32x4.lt(x, f32x4.const(0)), f32x4.gt(x, f32x4.const(Number.NEGATIVE_INFINITY))),
        v128.andnot(fractional, f32x4.ne(y, y)),
      );
      const isMissing = v128.or(isRoot, v128.andnot(f32x4.ne(x, x), f32x4.eq(y, f32x4.const(0))));
      return v128.bitselect(f32x4.const(Number.NaN), signed, isMissing);
    });
  });

/**
 * An activation by its ONNX name, parameters in ONNX's order: "" (none), Relu, Gelu, FastGelu, Swish(alpha = 1), Sigmoid, Tanh,
 * HardSwish, HardSigmoid(alpha, beta), LeakyRelu(alpha), Elu(alpha), Celu(alpha), Selu(alpha, gamma), Clip(min, max), Softplus,
 * Softsign, Mish, ThresholdedRelu(alpha).
 * @throws TypeError for another name.
 */
export function activate(f: Func, name: string, params: readonly number[], x: V128, device: DeviceInfo): V128 {
  const zero = f32x4.const(0);
  const [a = 0, b = 0] = params;
  const negative = (x: Local<"v128">, below: V128): V128 => v128.bitselect(below, x, f32x4.lt(x, zero));
  switch (name) {
    case "":
      return x;
    case "Relu":
      return f32x4.pmax(x, zero);
    case "Gelu":
      return gelu(f, x, device);
    case "FastGelu":
      return fastGelu(f, x, device);
    case "Swish":
      return swish(f, x, device, params[0] ?? 1);
    case "Sigmoid":
      return sigmoid(f, x, device);
    case "Tanh":
      return tanh(f, x, device);
    case "HardSwish":
      return bind(f, [x], (x) => f32x4.mul(x, clamp(madd(x, f32x4.const(1 / 6), f32x4.const(0.5), device), 0, 1)));
    case "HardSigmoid":
      return clamp(madd(x, f32x4.const(a), f32x4.const(b), device), 0, 1);
    case "LeakyRelu":
      return bind(f, [x], (x) => negative(x, f32x4.mul(x, f32x4.const(a))));
    case "Elu":
      return bind(f, [x], (x) => negative(x, f32x4.mul(expm1(f, x, device), f32x4.const(a))));
    case "Celu":
      return bind(f, [x], (x) =>
        negative(x, f32x4.mul(expm1(f, f32x4.div(x, f32x4.const(a)), device), f32x4.const(a))),
      );
    case "Selu":
      return f32x4.mul(activate(f, "Elu", [a], x, device), f32x4.const(b));
    case "Clip":
      return clamp(x, a, b);
    case "Softplus":
      return softplus(f, x, device);
    case "Softsign":
      return bind(f, [x], (x) => f32x4.div(x, f32x4.add(f32x4.abs(x), f32x4.const(1))));
    case "Mish":
      return bind(f, [x], (x) => f32x4.mul(x, tanh(f, softplus(f, x, device), device)));
    case "ThresholdedRelu":
      return bind(f, [x], (x) => v128.and(x, f32x4.gt(x, f32x4.const(a))));
    default:
      throw new TypeError(`no activation '${name}'`);
  }
}
