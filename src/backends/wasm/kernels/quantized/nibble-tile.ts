import { f32x4, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import { madd } from "../../math.js";
import { fences } from "../matmul/fences.js";
import { vectorsOf } from "./inputs.js";
import { type DotTile, pointers } from "./tile.js";

type V = Local<"v128">;

/** Bytes of `and` and `interleave`: the code's place in the upper half of a float, and the half's other byte. */
const CODE = v128.const(new Array<number>(16).fill(0x78));
const TOP = v128.const(new Array<number>(16).fill(0x41));
const LOW = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
const HIGH = LOW.map((lane) => lane + 8);

/**
 * Dot products of rows of 4-bit codes with tokens. 32 codes are one load; two shifts and two `and`s put each code where a float keeps the upper bits of its
 * fraction, four interleavings give it sign and exponent, and each of these vectors is two: itself, and shifted left by 16 (see `inputs.ts`). So 12
 * operations widen 32 codes, where bytes would take 24, and 8 multiply-adds a token take them in.
 *
 * The scale of 32 codes is one multiply-add of their sum for one token; with more, sums and totals would not both fit the registers, and it multiplies the
 * 8 vectors of codes.
 */
export const nibbleTile: DotTile = (f, { rows, tokens, form }, at, device) => {
  const { zeroPoints } = form;
  const vectors = vectorsOf(zeroPoints);
  const single = tokens === 1;
  const totals = Array.from({ length: rows }, () => f.localArray("v128", tokens));
  for (const total of totals.flat()) f.set(total, f32x4.const(0));
  const x = pointers(f, tokens, at.x, at.xStride);
  const w = pointers(f, rows, at.w, at.rowBytes);
  const scales = pointers(f, rows, at.scales, at.scaleBytes);
  const zeros = zeroPoints ? pointers(f, rows, at.zeros, at.scaleBytes) : [];
  const [codes, half, odd, even, moving, scale] = f.localArray("v128", 6) as [V, V, V, V, V, V];
  const sum = f.local("v128");
  const fence = fences(f, w[0]!);
  /** 32 inputs of a row. */
  const block = (r: number): void => {
    f.set(codes, v128.load(w[r]!));
    if (!single) f.set(scale, v128.load32_splat(scales[r]!));
    for (let pair = 0; pair < 4; pair++) {
      if (pair === 0) f.set(half, v128.and(i16x8.shl(codes, 3), CODE));
      if (pair === 2) f.set(half, v128.and(i16x8.shr_u(codes, 1), CODE));
      f.set(odd, v128.shuffle(half, TOP, pair % 2 === 0 ? LOW : HIGH));
      f.set(even, i32x4.shl(odd, 16));
      if (!single) {
        f.set(odd, f32x4.mul(odd, scale));
        f.set(even, f32x4.mul(even, scale));
      }
      x.forEach((inputs, t) => {
        const total = totals[r]![t]!;
        if (pair === 0) {
          f.set(moving, v128.load(inputs));
          if (zeroPoints) {
            const zero = v128.load32_splat(zeros[r]!);
            f.set(moving, madd(v128.load(inputs, 16), zero, moving, device));
          }
          if (single) f.set(sum, moving);
          else f.set(total, madd(moving, scale, total, device));
        }
        [odd, even].forEach((vector, i) => {
          f.set(moving, v128.load(inputs, 16 * (vectors - 8 + 2 * pair + i)));
          if (single) f.set(sum, madd(vector, moving, sum, device));
          else f.set(total, madd(moving, vector, total, device));
        });
        if (t % 2 === 1 && t < tokens - 1) fence(1);
      });
      fence(1);
    }
    if (single) {
      f.set(scale, v128.load32_splat(scales[r]!));
      f.set(totals[r]![0]!, madd(scale, sum, totals[r]![0]!, device));
      fence(1);
    }
  };
  // A scale is taken again for each 32 inputs of its group.
  const rounds = form.group! / 32;
  const round = rounds > 1 ? f.local("i32", rounds) : null;
  const nextGroup = (): void => {
    for (const pointer of [...scales, ...zeros]) f.increment(pointer, 4);
  };
  const end = f.local("i32", i32.add(w[0]!, at.rowBytes));
  // The block is what the fences leave.
  f.block(() =>
    f.doWhile(
      () => {
        for (let r = 0; r < rows; r++) block(r);
        for (const pointer of w) f.increment(pointer, 16);
        for (const pointer of x) f.increment(pointer, 16 * vectors);
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
  f.free(sum, ...x, ...w, ...scales, ...zeros, codes, half, odd, even, moving, scale, end);
  if (round) f.free(round);
  return totals;
};
