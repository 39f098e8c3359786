import { f32x4, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import { madd } from "../../math.js";
import { fences } from "../matmul/fences.js";
import { type DotTile, pointers } from "./dots.js";
import { vectorsOf } from "./inputs.js";

type V = Local<"v128">;

/** Bytes of `and` and `interleave`: the code's place in the upper half of a float, and the half's other byte. */
const CODE = v128.const(new Array<number>(16).fill(0x78));
const TOP = v128.const(new Array<number>(16).fill(0x41));
const LOW = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
const HIGH = LOW.map((lane) => lane + 8);

/** Groups of 32 inputs with one scale that a round of the loop takes, at most. */
const MOST_BLOCKS = 4;

/**
 * Dot products of rows of 4-bit codes with tokens. 32 codes are one load; two shifts and two `and`s put each code where a float keeps the upper bits of its
 * fraction, four interleavings give it sign and exponent, and each of these vectors is two: itself, and shifted left by 16 (see `inputs.ts`). So 12
 * operations widen 32 codes, where bytes would take 24, and 8 multiply-adds a token take them in; the group's scale is one more.
 */
export const nibbleTile: DotTile = (f, { rows, tokens, form }, at, device) => {
  const blocks = Math.min(MOST_BLOCKS, form.group! / 32);
  const { zeroPoints } = form;
  const vectors = vectorsOf(zeroPoints);
  const totals = Array.from({ length: rows }, () => f.localArray("v128", tokens));
  for (const total of totals.flat()) f.set(total, f32x4.const(0));
  const sums = f.localArray("v128", tokens);
  const x = pointers(f, tokens, at.x, at.xStride);
  const w = pointers(f, rows, at.w, at.rowBytes);
  const scales = pointers(f, rows, at.scales, at.scaleBytes);
  const zeros = zeroPoints ? pointers(f, rows, at.zeros, at.scaleBytes) : [];
  const [codes, half, odd, even, moving] = f.localArray("v128", 5) as [V, V, V, V, V];
  const fence = fences(f, w[0]!);
  const left = f.local("i32");
  /** One block of 32 inputs. */
  const block = (r: number, b: number): void => {
    f.set(codes, v128.load(w[r]!, 16 * b));
    for (let pair = 0; pair < 4; pair++) {
      if (pair === 0) f.set(half, v128.and(i16x8.shl(codes, 3), CODE));
      if (pair === 2) f.set(half, v128.and(i16x8.shr_u(codes, 1), CODE));
      f.set(odd, v128.shuffle(half, TOP, pair % 2 === 0 ? LOW : HIGH));
      f.set(even, i32x4.shl(odd, 16));
      sums.forEach((sum, t) => {
        const place = (vector: number): number => 16 * (b * vectors + vector);
        if (pair === 0) {
          f.set(moving, v128.load(x[t]!, place(0)));
          if (zeroPoints) {
            const zero = v128.load32_splat(zeros[r]!);
            f.set(moving, madd(v128.load(x[t]!, place(1)), zero, moving, device));
          }
          f.set(sum, b === 0 ? moving : f32x4.add(sum, moving));
        }
        [odd, even].forEach((vector, i) => {
          f.set(moving, v128.load(x[t]!, place(vectors - 8 + 2 * pair + i)));
          f.set(sum, madd(vector, moving, sum, device));
        });
        if (t % 2 === 1 && t < tokens - 1) fence(1);
      });
      fence(1);
    }
  };
  /** `count` blocks of one group. */
  const group = (count: number): void => {
    for (let r = 0; r < rows; r++) {
      for (let b = 0; b < count; b++) block(r, b);
      f.set(codes, v128.load32_splat(scales[r]!));
      totals[r]!.forEach((total, t) => f.set(total, madd(codes, sums[t]!, total, device)));
      fence(1);
    }
  };
  const steps = (count: number): void => {
    for (const pointer of w) f.increment(pointer, 16 * count);
    for (const pointer of x) f.increment(pointer, 16 * vectors * count);
  };
  const nextGroup = (): void => {
    for (const pointer of [...scales, ...zeros]) f.increment(pointer, 4);
  };
  // Groups of more than MOST_BLOCKS blocks take their scale again in each round.
  const rounds = form.group! / 32 / blocks;
  const round = rounds > 1 ? f.local("i32", rounds) : null;
  const end = f.local("i32", i32.add(w[0]!, i32.mul(i32.div_u(at.rowBytes, 16 * blocks), 16 * blocks)));
  f.if(i32.lt_u(w[0]!, end), () =>
    f.doWhile(
      () => {
        group(blocks);
        steps(blocks);
        if (round === null) nextGroup();
        else {
          f.increment(round, -1);
          f.if(i32.eqz(round), () => {
            nextGroup();
            f.set(round, rounds);
          });
        }
      },
      () => i32.lt_u(w[0]!, end),
    ),
  );
  if (blocks > 1) {
    f.set(left, i32.rem_u(at.rowBytes, 16 * blocks));
    f.if(left, () =>
      f.doWhile(
        () => {
          group(1);
          steps(1);
          f.increment(left, -16);
        },
        () => left,
      ),
    );
  }
  f.free(...sums, ...x, ...w, ...scales, ...zeros, codes, half, odd, even, moving, left, end);
  if (round) f.free(round);
  return totals;
};
