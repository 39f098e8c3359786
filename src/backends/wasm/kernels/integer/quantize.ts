import type { IntegerSpec } from "../../../specs/integer/integer-linear.js";
import {
  type Func,
  f32,
  f32x4,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  i64x2,
  type Local,
  type V128,
  v128,
} from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { acrossLanes } from "../lines.js";
import { perChunk } from "../rows.js";

type I = Local<"i32">;

/**
 * How the tokens of x lie after quantization: a row of words of 32 bits each, which a word of a weight's row multiplies.
 *
 * | form | a word | words of a row |
 * | --- | --- | --- |
 * | `pairs` | two neighbouring levels less the zero point, int16 | K / 2 |
 * | `sixes` | the same for each two of four neighbours: 01, 02, 03, 12, 13, 23 | 6 · K / 4 |
 * | `quads` | four neighbouring levels, uint8 | K / 4 |
 *
 * Rows are padded to multiples of 8 levels. What stands behind the Kth is anything: it meets weights of zero.
 */
export type Form = "pairs" | "sixes" | "quads";

/** Words of a row for each 8 levels. */
const WORDS = { pairs: 4, sixes: 12, quads: 2 } as const;

export const wordsOf = (form: Form, K: number): number => WORDS[form] * Math.ceil(K / 8);

/** Quantized tokens, and what the product's end needs to know of them. */
export interface Quantized {
  /** [N, wordsOf(form, K)] words. */
  readonly words: Buffer;
  /** Int32 sums of each token's levels less the zero point, [N]. Not with `quads`. */
  readonly sums: Buffer;
  /** float32, the scale of x, then its zero point as int32: in uint8 levels (those of int8 count from -128). */
  readonly parameters: Buffer;
}

/** Elements of x that one chunk looks through for its range. */
const RANGE = 16384;

/** Adds the launches that quantize x over its own range, or take its levels, into words. Once for all nodes that want the same. */
export function quantize(to: Lowering, spec: IntegerSpec, form: Form, x: Argument, zeroPoint: Argument): Quantized {
  const { K, N, xDtype } = spec;
  const words = to.scratch(4 * N * wordsOf(form, K));
  const sums = to.scratch(4 * N);
  const parameters = to.scratch(8);
  const parts = Math.ceil((N * K) / RANGE);
  const ranges = xDtype === "float32" ? to.scratch(8 * parts) : 0;
  if (ranges !== 0) to.launch(RANGES, [x, ranges, N * K], parts);
  const each = perChunk(K * 6);
  const args = [x, ranges, parts, words, sums, parameters, zeroPoint, N, K, each, 4 * wordsOf(form, K)];
  to.launch(quantizer(form, xDtype), args, Math.ceil(N / each));
  return { words, sums, parameters };
}

/** Least and greatest of each RANGE elements, and of 0. */
const RANGES: KernelCode = {
  key: `integer/ranges/${RANGE}`,
  build: () =>
    kernelFunction(3, (f, { chunk }, [x, ranges, count]) => {
      const from = f.local("i32", i32.mul(chunk, RANGE));
      const left = f.local("i32", i32.sub(count!, from));
      f.set(left, i32.min_s(left, RANGE));
      const at = f.local("i32", i32.add(x!, i32.shl(from, 2)));
      const least = f.localArray("v128", 2);
      const most = f.localArray("v128", 2);
      const value = f.local("v128");
      for (const sum of [...least, ...most]) f.set(sum, f32x4.const(0));
      const take = (loaded: V128, i: number): void => {
        f.set(value, loaded);
        f.set(least[i]!, f32x4.pmin(least[i]!, value));
        f.set(most[i]!, f32x4.pmax(most[i]!, value));
      };
      f.while(i32.ge_s(left, 8), () => {
        for (const i of [0, 1]) take(v128.load(at, 16 * i), i);
        f.increment(at, 32);
        f.increment(left, -8);
      });
      f.while(i32.gt_s(left, 0), () => {
        take(v128.load32_splat(at), 0);
        f.increment(at, 4);
        f.increment(left, -1);
      });
      const low = acrossLanes(f, f32x4.pmin(least[0]!, least[1]!), f32x4.pmin);
      const high = acrossLanes(f, f32x4.pmax(most[0]!, most[1]!), f32x4.pmax);
      const out = f.local("i32", i32.add(ranges!, i32.shl(chunk, 3)));
      f.store32Lane(out, low, 0);
      f.store32Lane(out, high, 0, 4);
    }),
};

/** Adding it to a float rounds that to an integer, halves to even, which is left in the low bits. */
const MAGIC = 1.5 * 2 ** 23;
const MAGIC_BITS = new Int32Array(Float32Array.of(MAGIC).buffer)[0]!;

function quantizer(form: Form, dtype: IntegerSpec["xDtype"]): KernelCode {
  return {
    key: `integer/quantize/${form}/${dtype}`,
    build: () =>
      kernelFunction(11, (f, { chunk }, args) => {
        const [x, ranges, parts, words, sums, parameters, zeroAt, N, K, each, stride] = args as Arguments;
        const scale = f.local("f32", f32.const(1));
        const zero = f.local("i32");
        if (dtype === "float32") rangeToScale(f, ranges, parts, scale, zero);
        else {
          f.set(zero, dtype === "int8" ? 128 : 0);
          const level = dtype === "int8" ? i32.load8_s(zeroAt) : i32.load8_u(zeroAt);
          f.if(zeroAt, () => f.increment(zero, level));
        }
        f.if(i32.eqz(chunk), () => {
          f.storeF32(parameters, scale);
          f.storeI32(parameters, zero, 4);
        });
        const row = f.local("i32", i32.mul(chunk, each));
        const last = f.local("i32", i32.add(row, each));
        f.set(last, i32.min_s(last, N));
        const size = dtype === "float32" ? 4 : 1;
        f.increment(x, i32.mul(i32.mul(row, K), size));
        f.increment(words, i32.mul(row, stride));
        f.increment(sums, i32.shl(row, 2));
        const levels = levelsOf(f, dtype, form, scale, zero);
        const to = f.local("i32");
        const left = f.local("i32");
        const total = f.local("v128");
        const eight = f.local("v128");
        f.while(i32.lt_s(row, last), () => {
          f.set(to, words);
          f.set(left, K);
          f.set(total, i32x4.const(0));
          const put = (): void => {
            store(f, form, to, eight);
            if (form !== "quads") f.set(total, i32x4.add(total, i32x4.dot_i16x8_s(eight, ONES)));
            f.increment(to, 4 * WORDS[form]);
            f.increment(left, -8);
          };
          f.while(i32.ge_s(left, 8), () => {
            f.set(eight, levels.eight(x));
            f.increment(x, 8 * size);
            put();
          });
          f.if(i32.gt_s(left, 0), () => {
            f.set(eight, levels.some(x, left));
            f.increment(x, i32.mul(left, size));
            put();
          });
          if (form !== "quads") {
            const sum = acrossLanes(f, total, i32x4.add);
            f.store32Lane(sums, sum, 0);
            f.free(sum);
          }
          f.increment(words, stride);
          f.increment(sums, 4);
          f.increment(row, 1);
        });
      }),
  };
}
type Arguments = [I, I, I, I, I, I, I, I, I, I, I];
const ONES = v128.const(Array.from({ length: 8 }, () => [1, 0]).flat());

/** ONNX's: scale = (max − min) / 255, 1 where all is 0; zero point = round(−min / scale). */
function rangeToScale(f: Func, ranges: I, parts: I, scale: Local<"f32">, zero: I): void {
  const low = f.local("f32", f32.const(0));
  const high = f.local("f32", f32.const(0));
  const at = f.local("i32", ranges);
  const end = f.local("i32", i32.add(ranges, i32.shl(parts, 3)));
  f.doWhile(
    () => {
      f.set(low, f32.min(low, f32.load(at)));
      f.set(high, f32.max(high, f32.load(at, 4)));
      f.increment(at, 8);
    },
    () => i32.lt_u(at, end),
  );
  const width = f32.sub(high, low);
  f.set(scale, f32.select(f32.eq(low, high), f32.const(1), f32.div(width, f32.const(255))));
  f.set(zero, i32.trunc_sat_f32_s(f32.nearest(f32.div(f32.neg(low), scale))));
  f.set(zero, i32.min_s(zero, 255));
  f.free(low, high, at, end);
}

interface Levels {
  /** Eight levels as int16: less the zero point, or as they are for `quads`. */
  eight(x: I): V128;
  /** The first `count` (below 8) of them, then the zero point. */
  some(x: I, count: I): V128;
}

function levelsOf(f: Func, dtype: IntegerSpec["xDtype"], form: Form, scale: Local<"f32">, zero: I): Levels {
  const centered = form !== "quads";
  if (dtype !== "float32") {
    const offset = f.local("v128", i16x8.splat(i32.sub(dtype === "int8" ? 128 : 0, centered ? zero : 0)));
    const extend = dtype === "int8" ? i16x8.extend_low_i8x16_s : i16x8.extend_low_i8x16_u;
    return {
      eight: (x) => i16x8.add(extend(v128.load64_zero(x)), offset),
      some(x, count) {
        const level = i32.and(dtype === "int8" ? i32.sub(zero, 128) : zero, 255);
        const bits = f.local("i64", i64.mul(i64.extend_i32_u(level), i64.const(0x0101010101010101n)));
        const at = f.local("i32", i32.add(x, count));
        f.doWhile(
          () => {
            f.increment(at, -1);
            f.set(bits, i64.or(i64.shl(bits, i64.const(8n)), i64.extend_i32_u(i32.load8_u(at))));
          },
          () => i32.gt_u(at, x),
        );
        f.free(bits, at);
        return i16x8.add(extend(i64x2.splat(bits)), offset);
      },
    };
  }
  const divisor = f.local("v128", f32x4.splat(scale));
  const least = f.local("v128", i32x4.splat(i32.sub(0, zero)));
  const most = f.local("v128", i32x4.splat(i32.sub(255, zero)));
  const shift = f.local("v128", i32x4.splat(i32.sub(centered ? 0 : zero, MAGIC_BITS)));
  const four = (x: V128): V128 => {
    const rounded = f32x4.add(f32x4.div(x, divisor), f32x4.const(MAGIC));
    if (!centered) return i32x4.add(rounded, shift); // narrowing to uint8 saturates
    return i32x4.min_s(i32x4.max_s(i32x4.add(rounded, shift), least), most);
  };
  const half = f.localArray("v128", 2);
  return {
    eight: (x) => i16x8.narrow_i32x4_s(four(v128.load(x)), four(v128.load(x, 16))),
    some(x, count) {
      half.forEach((vector, h) => {
        f.set(vector, f32x4.const(0));
        for (let lane = 0; lane < 4; lane++)
          f.if(i32.gt_s(count, 4 * h + lane), () =>
            f.set(vector, v128.load32_lane(x, vector, lane, 16 * h + 4 * lane)),
          );
      });
      return i16x8.narrow_i32x4_s(four(half[0]!), four(half[1]!));
    },
  };
}

/** Eight int16 levels as words. */
function store(f: Func, form: Form, to: I, eight: Local<"v128">): void {
  if (form === "pairs") f.storeV128(to, eight);
  else if (form === "quads") f.store64Lane(to, i8x16.narrow_i16x8_u(eight, eight), 0);
  else
    for (const vector of [0, 1, 2]) {
      const lanes = SIXES.slice(4 * vector, 4 * vector + 4).flatMap((pair) =>
        pair.flatMap((level) => [2 * level, 2 * level + 1]),
      );
      f.storeV128(to, v128.shuffle(eight, eight, lanes), 16 * vector);
    }
}

/** Which two of four a word of `sixes` holds, by its number. */
export const PAIRS_OF_FOUR: readonly (readonly [number, number])[] = [
  [0, 1],
  [0, 2],
  [0, 3],
  [1, 2],
  [1, 3],
  [2, 3],
];
const SIXES = [0, 4].flatMap((base) => PAIRS_OF_FOUR.map(([a, b]) => [base + a, base + b]));
