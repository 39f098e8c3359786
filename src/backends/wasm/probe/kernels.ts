import { type Func, f32x4, i16x8, i32, i32x4, type Local, v128 } from "../asm/index.js";
import type { V128 } from "../asm/instructions.js";
import { type DeviceInfo, type KernelCode, kernelFunction } from "../kernel.js";

/** Enough to hide a multiply-add's latency (4 to 6 cycles, two a cycle), few enough for 16 registers. */
export const ACCUMULATORS = 12;

export interface Multiply {
  readonly name: "float32" | "int16" | "int8";
  /** Multiply-adds of one vector. */
  readonly lanes: number;
  readonly start: V128;
  /** The next value of a sum. It depends on the sum alone, or an engine would compute it once for all. */
  next(sum: Local<"v128">, a: Local<"v128">, b: Local<"v128">, device: DeviceInfo): V128;
  readonly a: V128;
  readonly b: V128;
}

export const MULTIPLIES: readonly Multiply[] = [
  {
    name: "float32",
    lanes: 4,
    start: f32x4.const(1),
    a: f32x4.const(0.999),
    b: f32x4.const(0.001),
    next: (sum, a, b, { relaxed }) => (relaxed ? f32x4.relaxed_madd(sum, a, b) : f32x4.add(f32x4.mul(sum, a), b)),
  },
  {
    name: "int16",
    lanes: 8,
    start: i32x4.const(1),
    a: i16x8.splat(1),
    b: i32x4.const(1),
    next: (sum, a, b) => i32x4.add(i32x4.dot_i16x8_s(sum, a), b),
  },
  {
    name: "int8",
    lanes: 16,
    start: i32x4.const(1),
    a: i32x4.const(0x01010101),
    b: i32x4.const(1),
    next: (sum, a, b) => i32x4.relaxed_dot_i8x16_i7x16_add_s(sum, a, b),
  },
];

/** The dots of relaxed SIMD in a function of its own, for asking whether the engine has them. */
export function usesInt8(f: Func): void {
  const x = i32x4.const(1);
  f.drop(i32x4.relaxed_dot_i8x16_i7x16_add_s(x, x, x));
}

/** Sums in registers alone, over and over: arguments are where to leave them and how often. */
export const multiplyCode = ({ name, start, a, b, next }: Multiply): KernelCode => ({
  key: `probe/multiply/${name}`,
  build: (device) =>
    kernelFunction(2, (f, { chunk }, [to, iterations]) => {
      const [first, second] = [f.local("v128", a), f.local("v128", b)];
      const sums = f.localArray("v128", ACCUMULATORS);
      for (const sum of sums) f.set(sum, start);
      f.for(0, iterations!, 1, () => {
        for (const sum of sums) f.set(sum, next(sum, first, second, device));
      });
      for (const sum of sums.slice(1)) f.set(sums[0]!, v128.xor(sums[0]!, sum));
      f.storeV128(i32.add(to!, i32.mul(chunk, 64)), sums[0]!);
    }),
});

/** Vectors that a round of the loops below moves. */
const UNROLL = 8;
export const ROUND_BYTES = 16 * UNROLL;

/** Reads a thread's own `bytes`, `times` over: arguments are where they begin, `bytes`, `times`, and where to leave what came of it. */
export const readCode: KernelCode = {
  key: "probe/read",
  build: () =>
    kernelFunction(4, (f, { chunk }, [from, bytes, times, to]) => {
      // V8 loads a round's vectors before it uses any: with more sums than these they would not all have registers.
      const sums = f.localArray("v128", 4);
      f.increment(from!, i32.mul(chunk, bytes!));
      eachRound(f, from!, bytes!, times!, (at) => {
        for (let i = 0; i < UNROLL; i++) {
          const sum = sums[i % sums.length]!;
          f.set(sum, v128.xor(sum, v128.load(at, 16 * i)));
        }
      });
      for (const sum of sums.slice(1)) f.set(sums[0]!, v128.xor(sums[0]!, sum));
      f.storeV128(i32.add(to!, i32.mul(chunk, 64)), sums[0]!);
    }),
};

/** Copies the first half of a thread's own `bytes` onto the second, `times` over. */
export const copyCode: KernelCode = {
  key: "probe/copy",
  build: () =>
    kernelFunction(3, (f, { chunk }, [from, bytes, times]) => {
      f.increment(from!, i32.mul(chunk, bytes!));
      const half = f.local("i32", i32.shr_u(bytes!, 1));
      const to = f.local("i32");
      eachRound(f, from!, half, times!, (at) => {
        f.set(to, i32.add(at, half));
        for (let i = 0; i < UNROLL; i++) f.storeV128(to, v128.load(at, 16 * i), 16 * i);
      });
    }),
};

/** Nothing: what remains is starting it. */
export const emptyCode: KernelCode = { key: "probe/empty", build: () => kernelFunction(0, () => {}) };

function eachRound(
  f: Func,
  from: Local<"i32">,
  bytes: Local<"i32">,
  times: Local<"i32">,
  body: (at: Local<"i32">) => void,
): void {
  const at = f.local("i32");
  const end = f.local("i32", i32.add(from, bytes));
  f.for(0, times, 1, () => {
    f.set(at, from);
    f.doWhile(
      () => {
        body(at);
        f.increment(at, ROUND_BYTES);
      },
      () => i32.lt_u(at, end),
    );
  });
}
