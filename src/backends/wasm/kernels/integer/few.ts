import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import { type Func, f32x4, i16x8, i32, i32x4, type Local, type V128, v128 } from "../../asm/index.js";
import {
  type Argument,
  type Buffer,
  type DeviceInfo,
  type KernelCode,
  kernelFunction,
  type Lowering,
} from "../../kernel.js";
import { activate } from "../../math.js";
import { mapLine } from "../lines.js";
import { fences, loadsPerFence } from "../matmul/fences.js";
import { PAIRS, QUADS } from "./dot.js";
import type { Form } from "./quantize.js";
import { rowsOfVector, STRIP_BYTES, type StripImage, type Strips } from "./strips.js";

type I = Local<"i32">;

/** Tokens up to which strips of bytes beat panels. */
export const MOST_FEW = 8;

/** Tokens that a pass over a strip takes together. */
const TOKENS = 4;
/** Accumulators of a pass. */
const SUMS = 8;

export interface FewProduct {
  readonly strips: Strips;
  readonly image: StripImage;
  /** The image in memory. */
  readonly w: Buffer;
  /** [N, words]. */
  readonly x: Buffer;
  readonly y: Buffer;
  readonly M: number;
  readonly N: number;
  readonly floats: boolean;
  readonly epilogue: Epilogue;
  readonly bias: Argument;
  readonly residual: Argument;
  readonly scales: Buffer;
  /** int32 [M], added to each token's sums; 0 for none. */
  readonly starts: Argument;
  /** int32 [M], times a token's sum of x, added to its sums; 0 for none. */
  readonly weightsOfSums: Argument;
  /** int32 [N]. */
  readonly xSums: Argument;
}

/**
 * Y = W · X for a few tokens (decoding): W read once, as bytes, in order; a word of x is broadcast and multiplies the words of all rows of a strip.
 *
 * What it takes, for 16 weights and a token: `quads` a load and a dot product; `pairs` a load, a shift, two dot products and two additions, so at
 * four vector operations a cycle 12.8 weights. Widening bytes with i16x8.extend would take six vector operations.
 */
export function lowerFew(spec: FewProduct, to: Lowering): void {
  const { strips, image, w, x, y, M, N, bias, residual, scales, starts, weightsOfSums, xSums } = spec;
  const rows = strips.count * strips.vectors * rowsOfVector(strips.form);
  const sums = to.scratch(4 * rows * N);
  const places = [w, image.table, x, sums, y, bias, residual, scales, starts, weightsOfSums, xSums];
  to.launch(code(spec), [...places, M, 4 * rows, 4 * strips.words], image.chunks);
}

function code({ strips, N, floats, epilogue }: FewProduct): KernelCode {
  const { form, vectors, kept } = strips;
  const height = vectors * rowsOfVector(form);
  return {
    key: `integer/few/${form}/${vectors}/${kept === null ? "all" : "kept"}/${N}/${floats}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(14, (f, { chunk }, args) => {
        const [w, table, x, sums, y, bias, residual, scales, starts, weights, xSums] = args as Places;
        const [M, sumStride, xStride] = args.slice(11) as [I, I, I];
        const bound = f.local("i32", i32.add(w, i32.shl(chunk, 2)));
        const strip = f.local("i32", i32.load(bound));
        const last = f.local("i32", i32.load(bound, 4));
        const row = f.local("i32", i32.mul(strip, height));
        const rows = f.local("i32", i32.sub(i32.mul(last, height), row));
        const entry = f.local("i32", i32.add(i32.add(w, table), i32.mul(strip, STRIP_BYTES)));
        const offset = f.local("i32", i32.shl(row, 2));
        const count = f.local("i32");
        const numbers = f.local("i32");
        const from = f.local("i32");
        f.while(i32.lt_s(strip, last), () => {
          f.set(count, i32.load(entry));
          f.set(numbers, i32.add(w, i32.load(entry, 4)));
          f.set(from, i32.add(w, i32.load(entry, 8)));
          for (let token = 0; token < N; token += TOKENS) {
            const tokens = Math.min(TOKENS, N - token);
            const each = Math.max(1, Math.floor(SUMS / tokens / (form === "quads" ? 1 : 2)));
            for (let first = 0; first < vectors; first += each) {
              const pass = { form, vectors, tokens, token, first, count: Math.min(each, vectors - first) };
              stripPass(
                f,
                { ...pass, kept: kept !== null },
                { count, numbers, from, x, xStride },
                (t, v, low, high) => {
                  const put = (sum: V128, r: number): void => {
                    const at = i32.add(offset, i32.mul(sumStride, token + t));
                    f.storeV128(i32.add(sums, at), correct(sum, r, t + token), 4 * r);
                  };
                  const correct = (sum: V128, r: number, t: number): V128 => {
                    if (form === "quads") return i32x4.add(sum, v128.load(i32.add(starts, offset), 4 * r));
                    if (kept !== null) return sum;
                    const weight = v128.load(i32.add(weights, offset), 4 * r);
                    return i32x4.add(sum, i32x4.mul(weight, v128.load32_splat(xSums, 4 * t)));
                  };
                  put(low, (first + v) * rowsOfVector(form));
                  if (high !== null) put(high, (first + v) * rowsOfVector(form) + 4);
                },
              );
            }
          }
          f.increment(strip, 1);
          f.increment(entry, STRIP_BYTES);
          f.increment(offset, 4 * height);
        });
        finishRows(f, { N, floats, epilogue }, { row, rows, M, sums, sumStride, scales, bias, residual, y }, device);
      }),
  };
}
type Places = [I, I, I, I, I, I, I, I, I, I, I];

/** The ends of a chunk's rows [row, row + rows) for each token: sums [N, sumStride bytes] to y. */
export function finishRows(
  f: Func,
  { N, floats, epilogue }: Pick<FewProduct, "N" | "floats" | "epilogue">,
  at: { row: I; rows: I; M: I; sums: I; sumStride: I; scales: I; bias: I; residual: I; y: I },
  device: DeviceInfo,
): void {
  const { row, rows, M, sums, sumStride, scales, bias, residual, y } = at;
  const offset = f.local("i32", i32.shl(row, 2));
  const left = f.local("i32", i32.sub(M, row));
  f.set(rows, i32.min_s(rows, left));
  const line = f.localArray("i32", 4);
  const target = f.local("i32");
  for (let t = 0; t < N; t++) {
    const inY = i32.add(i32.mul(i32.shl(M, 2), t), offset);
    f.set(line[0]!, i32.add(sums, i32.add(i32.mul(sumStride, t), offset)));
    f.set(line[1]!, i32.add(scales, offset));
    f.set(line[2]!, i32.add(bias, offset));
    f.set(line[3]!, i32.add(residual, inY));
    f.set(target, i32.add(y, inY));
    const read = [true, floats, epilogue.bias, epilogue.residual !== ""];
    const sources = line.filter((_, i) => read[i]);
    mapLine(f, sources, target, rows, (...loaded) => {
      let i = 0;
      const [sum, scale, added, late] = read.map((is) => (is ? loaded[i++]! : null));
      if (!scale) return sum!;
      let value: V128 = f32x4.mul(f32x4.convert_i32x4_s(sum!), scale);
      if (added) value = f32x4.add(value, added);
      if (late && epilogue.residual === "before") value = f32x4.add(value, late);
      value = activate(f, epilogue.activation, epilogue.params, value, device);
      return late && epilogue.residual === "after" ? f32x4.add(value, late) : value;
    });
  }
}

interface Pass {
  readonly form: Form;
  /** Vectors of the strip; the pass takes `count` of them from `first` on. */
  readonly vectors: number;
  readonly first: number;
  readonly count: number;
  /** Tokens of the pass, from `token` on. */
  readonly tokens: number;
  readonly token: number;
  /** The strip has numbers of words. */
  readonly kept: boolean;
}

/** One pass over a strip's words: calls `done` with the sums of each token and vector; `high` are those of rows 4 to 7. */
function stripPass(
  f: Func,
  { form, vectors, first, count, tokens, token, kept }: Pass,
  at: { count: I; numbers: I; from: I; x: I; xStride: I },
  done: (t: number, v: number, low: V128, high: V128 | null) => void,
): void {
  const quads = form === "quads";
  const most = kept && vectors * tokens <= 4 ? 4 : 2;
  // A dot product of quads waits four cycles for the sums that it adds to: neighbouring words have sums of their own.
  const sets = quads ? Math.min(most, Math.max(1, Math.floor(SUMS / (tokens * count)))) : 1;
  const all = Array.from({ length: sets }, () => Array.from({ length: tokens }, () => f.localArray("v128", count)));
  const sums = all[0]!;
  const highs = quads ? [] : Array.from({ length: tokens }, () => f.localArray("v128", count));
  const offsets = !quads && kept ? f.localArray("v128", tokens) : [];
  for (const sum of [...all.flat(), ...highs, offsets].flat()) f.set(sum, i32x4.const(0));
  const x = f.localArray("i32", tokens);
  x.forEach((pointer, t) => {
    f.set(pointer, t === 0 ? i32.add(at.x, i32.mul(at.xStride, token)) : i32.add(x[t - 1]!, at.xStride));
  });
  const w = f.local("i32", at.from);
  const numbers = f.local("i32", at.numbers);
  const end = f.local("i32");
  const shift = f.local("i32");
  const weights = f.local("v128");
  const words = f.localArray("v128", tokens);
  const before = offsets.length > 0 ? f.localArray("v128", tokens) : [];
  const fence = fences(f, w);
  const size = 16 * vectors;
  const spacing = loadsPerFence((quads ? sets : 2) * tokens * count + offsets.length + before.length + tokens + 1);
  let loads = 0;

  const step = (u: number, unroll: number): void => {
    loads += tokens;
    if (kept) f.set(shift, i32.load16_u(numbers, 2 * u));
    words.forEach((word, t) => {
      f.set(word, kept ? v128.load32_splat(i32.add(x[t]!, shift)) : v128.load32_splat(x[t]!, 4 * u));
    });
    offsets.forEach((sum, t) => {
      const together = u === 0 ? words[t]! : i16x8.add(before[t]!, words[t]!);
      if (u < unroll - 1) f.set(before[t]!, together);
      else f.set(sum, i32x4.add(sum, i32x4.dot_i16x8_s(together, OFFSETS)));
    });
    for (let v = 0; v < count; v++) {
      f.set(weights, v128.load(w, u * size + 16 * (first + v)));
      words.forEach((word, t) => {
        const sum = all[u % sets]![t]![v]!;
        f.set(sum, (quads ? QUADS : PAIRS).add(sum, word, weights));
      });
      if (!quads) {
        f.set(weights, i16x8.shr_s(weights, 8));
        words.forEach((word, t) => {
          f.set(highs[t]![v]!, PAIRS.add(highs[t]![v]!, word, weights));
        });
      }
      loads++;
      if (loads >= spacing && !(u === unroll - 1 && v === count - 1)) {
        fence(1);
        loads = 0;
      }
    }
  };
  const loop = (words: V32, unroll: number): void => {
    f.set(end, i32.add(w, i32.mul(words, size)));
    f.if(i32.lt_u(w, end), () =>
      f.doWhile(
        () => {
          for (let u = 0; u < unroll; u++) step(u, unroll);
          f.increment(w, unroll * size);
          if (kept) f.increment(numbers, 2 * unroll);
          else for (const pointer of x) f.increment(pointer, 4 * unroll);
        },
        () => i32.lt_u(w, end),
      ),
    );
  };
  loop(i32.and(at.count, -most), most);
  loop(i32.and(at.count, most - 1), 1);
  for (const set of all.slice(1)) {
    set.forEach((row, t) => {
      row.forEach((sum, v) => {
        f.set(sums[t]![v]!, i32x4.add(sums[t]![v]!, sum));
      });
    });
  }
  sums.forEach((row, t) => {
    row.forEach((sum, v) => {
      if (quads) {
        done(t, v, sum, null);
        return;
      }
      const high = highs[t]![v]!;
      f.set(sum, i32x4.sub(sum, i32x4.shl(high, 8)));
      if (offsets.length > 0) f.set(sum, i32x4.sub(sum, offsets[t]!));
      done(t, v, sum, high);
    });
  });
  f.free(
    ...all.flat(2),
    ...highs.flat(),
    ...offsets,
    ...x,
    w,
    numbers,
    end,

    shift,
    weights,
    ...words,
    ...before,
  );
}
type V32 = ReturnType<typeof i32.add>;
/** What low bytes are above their levels. */
const OFFSETS = v128.const(Array.from({ length: 8 }, () => [128, 0]).flat());
