import { f32x4, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import { madd } from "../../math.js";
import { fences } from "../matmul/fences.js";
import { type DotTile, pointers } from "./tile.js";

/** Steps of 8 inputs in a round of the loop: rows are padded to 16. */
const STEPS = 2;

/**
 * Dot products of rows of bytes with tokens. 8 codes take a load that widens them to 16 bits, one `and`, two conversions and, for each token, two
 * multiply-adds: `inputs.ts` says why the upper of two codes need not be parted from the lower. For one token 6 operations of vectors for 8 weights, where
 * widening each to 32 bits first takes 8: with two multiply-adds, two conversions and two shuffles or `and`s a cycle, 1.5 cycles.
 */
export const byteTile: DotTile = (f, { rows, tokens }, at, device) => {
  // Odd and even inputs apart where that is needed for 8 independent chains of multiply-adds.
  const sets = rows * tokens <= 4 ? 2 : 1;
  const sums = Array.from({ length: rows }, () => Array.from({ length: tokens }, () => f.localArray("v128", sets)));
  const x = pointers(f, tokens, at.x, at.xStride);
  const w = pointers(f, rows, at.w, at.rowBytes);
  for (const row of sums) {
    row.forEach((set, t) => set.forEach((sum, s) => f.set(sum, s === 0 ? v128.load(x[t]!) : f32x4.const(0))));
  }
  const [odd, even] = f.localArray("v128", 2) as [Local<"v128">, Local<"v128">];
  const held = f.localArray("v128", tokens === 1 ? 2 : 0);
  const moving = f.local("v128");
  const fence = fences(f, w[0]!);
  const end = f.local("i32", i32.add(w[0]!, at.rowBytes));
  // The block is what the fences leave.
  f.block(() =>
    f.doWhile(
      () => {
        for (let step = 0; step < STEPS; step++) {
          const input = (t: number, half: 0 | 1) => v128.load(x[t]!, 16 + 32 * step + 16 * half);
          held.forEach((vector, half) => f.set(vector, input(0, half as 0 | 1)));
          w.forEach((pointer, r) => {
            f.set(even, v128.load8x8_u(pointer, 8 * step));
            f.set(odd, f32x4.convert_i32x4_s(even));
            f.set(even, f32x4.convert_i32x4_s(v128.and(even, i32x4.const(0xffff))));
            sums[r]!.forEach((set, t) => {
              [odd, even].forEach((codes, half) => {
                if (tokens > 1) f.set(moving, input(t, half as 0 | 1));
                const sum = set[half % sets]!;
                const [first, second] = tokens > 1 ? [moving, codes] : [codes, held[half]!];
                f.set(sum, madd(first, second, sum, device));
              });
              if (tokens > 1 && t % 2 === 1 && t < tokens - 1) fence(1);
            });
            if (!(step === STEPS - 1 && r === rows - 1)) fence(1);
          });
        }
        for (const pointer of w) f.increment(pointer, 8 * STEPS);
        for (const pointer of x) f.increment(pointer, 32 * STEPS);
      },
      () => i32.lt_u(w[0]!, end),
    ),
  );
  for (const set of sums.flat()) if (sets === 2) f.set(set[0]!, f32x4.add(set[0]!, set[1]!));
  const results = sums.map((row) => row.map((set) => set[0]!));
  f.free(...sums.flatMap((row) => row.flatMap((set) => set.slice(1))));
  f.free(...x, ...w, odd, even, ...held, moving, end);
  return results;
};
