import type { Value } from "../../../../graph/index.js";
import type { QuantizedForm } from "../../../specs/quantized/form.js";
import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import type { V128 } from "../../asm/instructions.js";
import { type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { transpose } from "../matmul/panels.js";

type I = Local<"i32">;
type V = Local<"v128">;

/**
 * The activations of a few tokens as the dot products of `dots.ts` want them, by token. What makes them cheap is that codes need not be taken apart wholly: a
 * 32-bit lane that holds two codes, read as one number, is the upper code plus a known multiple of the lower one, and the sum of products
 * comes right when that multiple of the upper code's x is taken off the lower code's.
 *
 * 8 bits: a lane is u1·2^16 + u0, exact in float32. For 8 inputs: x1·2^-16 (odd inputs), x0 - x1·2^-16 (even inputs). Before them 16 bytes: -128 · Σ x in
 * four parts, where the sums begin, because u is the value + 128.
 *
 * 4 bits: code n makes the upper half of a float, 0x4100 | n << 3, which is 8 + n/2. A lane with two such halves is 8 + n1/2 + (halves of n0)·2^-20; shifted
 * left by 16 it is 8 + n0/2. For 32 inputs: the constants' part -P [and -Σ x] in four parts, then 4 times 2·x1 and 2·x0 - 2^-15·x1.
 */
export interface FewInputs {
  readonly buffer: Buffer;
  /** Bytes of a token. */
  readonly stride: number;
}

/** The constant that comes with an odd code n: its float is n/2 + ODD + 2^-16 · the even code's float. */
const ODD = 8 + 0x4100 * 2 ** -20 - 8 * 2 ** -16;
const EVEN = 8;

/** Vectors of 32 inputs with 4-bit codes. */
export const vectorsOf = (zeroPoints: boolean): number => (zeroPoints ? 10 : 9);

const strideOf = (K: number, { bits, zeroPoints }: QuantizedForm): number =>
  bits === 8 ? 16 + 64 * Math.ceil(K / 16) : 16 * vectorsOf(zeroPoints) * Math.ceil(K / 32);

/** Adds the launch that makes them of x [N, K], once for all nodes that read x so. */
export function fewInputs(x: Value, K: number, N: number, form: QuantizedForm, to: Lowering): FewInputs {
  const stride = strideOf(K, form);
  const kind = form.bits === 8 ? "8" : `4${form.zeroPoints ? "/zeros" : ""}`;
  const buffer = to.derived(x, `quantized/inputs/${kind}/${K}`, () => {
    const made = to.scratch(N * stride);
    to.launch(inputsCode(kind, form), [to.buffer(x), made, K, stride], N);
    return made;
  });
  return { buffer, stride };
}

const inputsCode = (kind: string, { bits, zeroPoints }: QuantizedForm): KernelCode => ({
  key: `quantized/inputs/${kind}`,
  build: () =>
    kernelFunction(4, (f, { chunk }, args) => {
      const [x, made, K, stride] = args as [I, I, I, I];
      f.increment(x, i32.mul(chunk, i32.shl(K, 2)));
      f.increment(made, i32.mul(chunk, stride));
      if (bits === 8) eightBits(f, x, made, K);
      else fourBits(f, x, made, K, zeroPoints);
    }),
});

/** Copies the last `rest` floats to `to`, zeros behind them up to `floats`. */
function copyRest(f: Func, from: I, to: I, rest: I, floats: number): void {
  f.memoryFill(to, 0, 4 * floats);
  f.memoryCopy(to, from, i32.shl(rest, 2));
}

function eightBits(f: Func, x: I, made: I, K: I): void {
  const sum = f.local("v128", f32x4.const(0));
  const to = f.local("i32", i32.add(made, 16));
  const rest = f.local("i32", i32.and(K, 15));
  const [a, b] = f.localArray("v128", 2) as [V, V];
  const sixteen = (from: I): void => {
    for (let i = 0; i < 2; i++) {
      f.set(a, v128.load(from, 32 * i));
      f.set(b, v128.load(from, 32 * i + 16));
      f.set(sum, f32x4.add(sum, f32x4.add(a, b)));
      const even = f.local("v128", v128.shuffle32(a, b, [0, 2, 4, 6]));
      f.set(a, f32x4.mul(v128.shuffle32(a, b, [1, 3, 5, 7]), f32x4.const(2 ** -16)));
      f.storeV128(to, a, 32 * i);
      f.storeV128(to, f32x4.sub(even, a), 32 * i + 16);
      f.free(even);
    }
    f.increment(to, 64);
  };
  const end = f.local("i32", i32.add(x, i32.shl(i32.and(K, -16), 2)));
  f.while(i32.lt_u(x, end), () => {
    sixteen(x);
    f.increment(x, 64);
  });
  f.if(rest, () => {
    copyRest(f, x, to, rest, 16);
    // The second half is read before it is overwritten: each half is written where it was read.
    sixteen(to);
  });
  f.storeV128(made, f32x4.mul(sum, f32x4.const(-128)));
}

function fourBits(f: Func, x: I, made: I, K: I, zeroPoints: boolean): void {
  const rest = f.local("i32", i32.and(K, 31));
  const bytes = 16 * vectorsOf(zeroPoints);
  const thirtyTwo = (from: I): void => {
    const rows = (first: number): V128[] => [0, 1, 2, 3].map((i) => v128.load(from, 16 * (first + i)));
    const c = transpose(f, rows(0)) as [V, V, V, V];
    const d = transpose(f, rows(4)) as [V, V, V, V];
    const pairs: [even: V, odd: V][] = [
      [c[0], c[2]],
      [d[0], d[2]],
      [c[1], c[3]],
      [d[1], d[3]],
    ];
    const sum = (index: 0 | 1): V128 => pairs.map((pair): V128 => pair[index]).reduce((a, b) => f32x4.add(a, b));
    const even = f.local("v128", sum(0));
    const odd = f.local("v128", sum(1));
    const all = f.local("v128", f32x4.add(even, odd));
    const constants = f32x4.add(f32x4.mul(odd, f32x4.const(2 * ODD)), f32x4.mul(even, f32x4.const(2 * EVEN)));
    const middle = zeroPoints ? constants : f32x4.add(constants, f32x4.mul(all, f32x4.const(8)));
    f.storeV128(made, f32x4.neg(middle));
    if (zeroPoints) f.storeV128(made, f32x4.neg(all), 16);
    pairs.forEach(([e, o], i) => {
      const at = bytes - 128 + 32 * i;
      f.storeV128(made, f32x4.mul(o, f32x4.const(2)), at);
      f.storeV128(made, f32x4.sub(f32x4.mul(e, f32x4.const(2)), f32x4.mul(o, f32x4.const(2 ** -15))), at + 16);
    });
    f.increment(made, bytes);
    f.free(...c, ...d, even, odd, all);
  };
  const end = f.local("i32", i32.add(x, i32.shl(i32.and(K, -32), 2)));
  f.while(i32.lt_u(x, end), () => {
    thirtyTwo(x);
    f.increment(x, 128);
  });
  f.if(rest, () => {
    copyRest(f, x, made, rest, 32);
    thirtyTwo(made);
  });
}
