import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { madd } from "../../math.js";
import { fences } from "../matmul/fences.js";
import { transpose4 } from "./pack.js";

/** Vectors of a row in one round. */
const UNROLL = 4;

/** Dot products of the row at `a` of length `k` with `count` rows at `b`, `stride` bytes apart, in the lanes of a vector. */
export function emitDots(
  f: Func,
  device: DeviceInfo,
  count: 1 | 4,
  a: Local<"i32">,
  b: Local<"i32">,
  k: Local<"i32">,
  stride: Local<"i32">,
): Local<"v128"> {
  const sums = f.localArray("v128", 4);
  for (const sum of sums) f.set(sum, f32x4.const(0));
  const left = f.local("i32", a);
  const rows = [f.local("i32", b)];
  for (let i = 1; i < count; i++) rows.push(f.local("i32", i32.add(rows[i - 1]!, stride)));
  const rest = f.local("i32", k);
  const x = f.local("v128");
  const steps = (bytes: number): void => {
    for (const pointer of [left, ...rows]) f.increment(pointer, bytes);
    f.increment(rest, -bytes / 4);
  };
  const fence = fences(f, left);
  for (const vectors of [UNROLL, 1]) {
    f.while(i32.ge_s(rest, 4 * vectors), () => {
      for (let u = 0; u < vectors; u++) {
        f.set(x, v128.load(left, 16 * u));
        rows.forEach((row, i) => {
          f.set(sums[i]!, madd(x, v128.load(row, 16 * u), sums[i]!, device));
        });
        if (u + 1 < vectors) fence(1);
      }
      steps(16 * vectors);
    });
  }
  f.while(rest, () => {
    f.set(x, v128.load32_zero(left));
    rows.forEach((row, i) => {
      f.set(sums[i]!, madd(x, v128.load32_zero(row), sums[i]!, device));
    });
    steps(4);
  });
  transpose4(f, sums);
  const result = f.local("v128", f32x4.add(f32x4.add(sums[0]!, sums[1]!), f32x4.add(sums[2]!, sums[3]!)));
  f.free(left, rest, x, ...rows, ...sums, result);
  return result;
}
