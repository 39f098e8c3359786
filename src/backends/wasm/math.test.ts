import v8 from "node:v8";
import { describe, expect, it } from "vitest";
import { activateNumber } from "../../ops/fused/activation.js";
import { erf as erfNumber, softplusOf } from "../../ops/math/special.js";
import { Func, f32x4, type Local, moduleBytes, type V128, v128 } from "./asm/index.js";
import { hasRelaxedSimd } from "./features.js";
import type { DeviceInfo } from "./kernel.js";
import { activate, cos, erf, exp, expm1, log, pow, sigmoid, sin, softplus, tanh } from "./math.js";

if (!hasRelaxedSimd()) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

const devices: DeviceInfo[] = [false, ...(hasRelaxedSimd() ? [true] : [])].map((relaxed) => ({
  relaxed,
  shared: false,
  threads: 1,
}));

/** y[i] = make(x[i], x2[i]) over whole arrays, run in WebAssembly. */
function run(
  make: (f: Func, x: V128, x2: V128, device: DeviceInfo) => V128,
  device: DeviceInfo,
  a: Float32Array,
  b = a,
): Float32Array {
  const size = Math.ceil(a.length / 4) * 4;
  const f = new Func(["i32"]);
  const [bytes] = f.params as [Local<"i32">];
  f.for(0, bytes, 16, (i) => {
    const y = make(f, v128.load(i), v128.load(i, size * 4), device);
    f.storeV128(i, y, size * 8);
  });
  const memory = new WebAssembly.Memory({ initial: Math.ceil((size * 12) / 65536) });
  const module = new WebAssembly.Module(moduleBytes({ f }, { shared: false }));
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  new Float32Array(memory.buffer).set(a, 0);
  new Float32Array(memory.buffer).set(b, size);
  (instance.exports.f as (bytes: number) => void)(size * 4);
  return new Float32Array(memory.buffer, size * 8, a.length);
}

/** Numbers of both signs, evenly over [-limit, limit] and over the exponents from 2^-30 up. */
function samples(limit: number): Float32Array {
  const even = Array.from({ length: 4001 }, (_, i) => (i / 2000 - 1) * limit);
  const small = Array.from({ length: 2000 }, (_, i) => limit * 2 ** (-i / 60) * (i % 2 ? -1 : 1));
  return Float32Array.from([...even, ...small, 0, -0]);
}

const spacing = (y: number): number => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(y)))) - 23);

/** The first i where got[i] is further from the exact value than allowed: -1 when none is. Rounding alone is always allowed. */
const firstBeyond = (
  got: Float32Array,
  exact: (i: number) => number,
  ulps: number,
  absolute: (i: number) => number = () => 0,
): number =>
  got.findIndex((y, i) => {
    const reference = exact(i);
    if (Number.isNaN(reference)) return !Number.isNaN(y);
    if (y === Math.fround(reference)) return false;
    return !(Math.abs(y - reference) <= ulps * spacing(reference) + absolute(i) + 2 ** -118);
  });

const special = Float32Array.of(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0, 1e-40);

interface Case {
  readonly name: string;
  readonly make: (f: Func, x: V128, device: DeviceInfo) => V128;
  readonly exact: (x: number) => number;
  readonly limit: number;
  readonly ulps: number;
  readonly absolute?: (x: number) => number;
}

const byName =
  (name: string, params: number[]): Case["make"] =>
  (f, x, device) =>
    activate(f, name, params, x, device);
const named = (
  name: Parameters<typeof activateNumber>[0]["name"],
  limit: number,
  ulps: number,
  params: number[] = [],
  absolute?: Case["absolute"],
): Case => ({
  name: `${name}(${params})`,
  make: byName(name, params),
  exact: (x) => activateNumber({ name, params }, x),
  limit,
  ulps,
  ...(absolute && { absolute }),
});

/** x · sigmoid of twice tanh's argument, which keeps its digits where 1 + tanh loses them. */
const fastGeluNumber = (x: number): number => x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const cases: Case[] = [
  { name: "exp", make: exp, exact: Math.exp, limit: 100, ulps: 2 },
  { name: "expm1", make: expm1, exact: Math.expm1, limit: 95, ulps: 2 },
  { name: "log", make: log, exact: Math.log, limit: 1e6, ulps: 1 },
  { name: "log of subnormals", make: log, exact: Math.log, limit: 2 ** -125, ulps: 1 },
  { name: "tanh", make: tanh, exact: Math.tanh, limit: 12, ulps: 2 },
  { name: "erf", make: erf, exact: erfNumber, limit: 6, ulps: 2 },
  { name: "sigmoid", make: sigmoid, exact: (x) => 1 / (1 + Math.exp(-x)), limit: 100, ulps: 2 },
  { name: "softplus", make: softplus, exact: softplusOf, limit: 100, ulps: 3 },
  { name: "sin", make: sin, exact: Math.sin, limit: 30, ulps: 2, absolute: () => 1e-7 },
  { name: "cos", make: cos, exact: Math.cos, limit: 30, ulps: 2, absolute: () => 1e-7 },
  {
    name: "sin of millions",
    make: sin,
    exact: Math.sin,
    limit: 1e9,
    ulps: 2,
    absolute: (x) => 1e-7 + Math.abs(x) * 2 ** -52,
  },
  named("", 10, 0),
  named("Relu", 10, 0),
  named("Gelu", 30, 2, [], () => 2e-7),
  {
    name: "FastGelu",
    make: byName("FastGelu", []),
    exact: fastGeluNumber,
    limit: 12,
    ulps: 2,
    absolute: (x) => 1e-6 * (1 + x * x) * Math.abs(fastGeluNumber(x)),
  },
  named("Swish", 100, 4),
  named("Sigmoid", 100, 2),
  named("Tanh", 12, 2),
  named("HardSwish", 10, 4, [], (x) => Math.abs(x) * 2 ** -23),
  named("HardSigmoid", 10, 2, [0.2, 0.5], () => 2 ** -23),
  named("LeakyRelu", 10, 1, [0.1]),
  named("Clip", 10, 1, [-0.5, 6]),
  { name: "Elu", make: byName("Elu", [1.5]), exact: (x) => (x < 0 ? 1.5 * Math.expm1(x) : x), limit: 100, ulps: 4 },
  { name: "Celu", make: byName("Celu", [2]), exact: (x) => (x < 0 ? 2 * Math.expm1(x / 2) : x), limit: 100, ulps: 5 },
  {
    name: "Selu",
    make: byName("Selu", [1.67, 1.05]),
    exact: (x) => 1.05 * (x < 0 ? 1.67 * Math.expm1(x) : x),
    limit: 100,
    ulps: 6,
  },
  { name: "Softsign", make: byName("Softsign", []), exact: (x) => x / (1 + Math.abs(x)), limit: 100, ulps: 2 },
  { name: "Mish", make: byName("Mish", []), exact: (x) => x * Math.tanh(softplusOf(x)), limit: 80, ulps: 10 },
  { name: "ThresholdedRelu", make: byName("ThresholdedRelu", [1]), exact: (x) => (x > 1 ? x : 0), limit: 10, ulps: 0 },
];

describe.each(devices)("vector functions, relaxed SIMD $relaxed", (device) => {
  it.each(cases)("$name stays within its stated error", ({ make, exact, limit, ulps, absolute }) => {
    const x = samples(limit);
    const got = run((f, x) => make(f, x, device), device, x);
    const at = firstBeyond(
      got,
      (i) => exact(x[i]!),
      ulps,
      (i) => absolute?.(x[i]!) ?? 0,
    );
    expect(at, `at ${x[at]}: ${got[at]} for ${exact(x[at] ?? 0)}`).toBe(-1);
  });

  it.each([
    ["exp", exp, [Number.POSITIVE_INFINITY, 0, Number.NaN, 1, 1, 1]],
    ["expm1", expm1, [Number.POSITIVE_INFINITY, -1, Number.NaN, 0, 0]],
    [
      "log",
      log,
      [Number.POSITIVE_INFINITY, Number.NaN, Number.NaN, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ],
    ["tanh", tanh, [1, -1, Number.NaN, 0, -0]],
    ["erf", erf, [1, -1, Number.NaN, 0, -0]],
    ["sigmoid", sigmoid, [1, 0, Number.NaN, 0.5, 0.5]],
    ["softplus", softplus, [Number.POSITIVE_INFINITY, 0, Number.NaN, Math.fround(Math.LN2)]],
    ["sin", sin, [Number.NaN, Number.NaN, Number.NaN, 0]],
    ["cos", cos, [Number.NaN, Number.NaN, Number.NaN, 1]],
    ["Gelu", byName("Gelu", []), [Number.POSITIVE_INFINITY, 0, Number.NaN, 0]],
    ["Relu", byName("Relu", []), [Number.POSITIVE_INFINITY, 0, Number.NaN, 0]],
  ] as [string, Case["make"], number[]][])("%s of infinities, NaN and zeros", (_, make, wanted) => {
    const got = run((f, x) => make(f, x, device), device, special);
    wanted.forEach((y, i) => {
      if (y === 0 || Number.isNaN(y)) expect(got[i]! + 0).toEqual(y + 0);
      else expect(got[i]).toBeCloseTo(y, 6);
    });
  });

  it("pow stays within 3 ulp", () => {
    const random = (i: number): number => (Math.imul(i + 1, 2654435761) >>> 0) / 2 ** 32;
    const x = Float32Array.from({ length: 20000 }, (_, i) => 2 ** (40 * random(i) - 20));
    const y = Float32Array.from({ length: 20000 }, (_, i) => (random(i + 77777) - 0.5) * 10);
    const got = run((f, x, y) => pow(f, x, y, device), device, x, y);
    const at = firstBeyond(got, (i) => x[i]! ** y[i]!, 3);
    expect(at, `${x[at]} ** ${y[at]} = ${got[at]}`).toBe(-1);
  });

  it("pow knows IEEE 754's special cases", () => {
    const values = [
      0,
      -0,
      1,
      -1,
      2,
      -2,
      3,
      -3,
      0.5,
      -0.5,
      1e30,
      -1e30,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ];
    const x = Float32Array.from(values.flatMap((a) => values.map(() => a)));
    const y = Float32Array.from(values.flatMap(() => values));
    const got = run((f, x, y) => pow(f, x, y, device), device, x, y);
    got.forEach((z, i) => {
      const one = x[i] === 1 || (x[i] === -1 && Math.abs(y[i]!) === Number.POSITIVE_INFINITY);
      const wanted = Math.fround(one ? 1 : x[i]! ** y[i]!);
      const close = Object.is(z, wanted) || Math.abs(z - wanted) <= 3 * spacing(wanted);
      expect(close, `${x[i]} ** ${y[i]} is ${wanted}, not ${z}`).toBe(true);
    });
  });

  it("functions nest and take each other as operands", () => {
    const x = samples(3);
    const got = run(
      (f, x) => f32x4.add(exp(f, tanh(f, x, device), device), pow(f, exp(f, x, device), sigmoid(f, x, device), device)),
      device,
      x,
    );
    got.forEach((y, i) => {
      const v = x[i] as number;
      const wanted = Math.exp(Math.tanh(v)) + Math.exp(v) ** (1 / (1 + Math.exp(-v)));
      expect(Math.abs(y - wanted)).toBeLessThanOrEqual(20 * spacing(wanted));
    });
  });
});
