import { type Func, f32x4, type I32, i32, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { madd } from "../../math.js";
import { fences, loadsPerFence } from "../matmul/fences.js";

/** Where a tile's left elements a[r, k] lie: `rows`: k contiguous, rows `stride` bytes apart; `columns`: r contiguous, k `stride` bytes apart. */
export interface Left {
  readonly order: "rows" | "columns";
  readonly pointer: I32;
  readonly stride: I32;
}

/** Where a tile's right vectors b[k, ·] lie: contiguous along the columns, k `stride` bytes apart. */
export interface Right {
  readonly pointer: I32;
  readonly stride: I32;
}

const UNROLL = 4;

/**
 * Emits acc[r·vectors + v] = Σ_k a[r, k] · b[k, 4v … 4v + 3], `rows` × `vectors` accumulators held in registers.
 * `inner` is the number of terms. The accumulators are returned; give them back with `f.free`.
 */
export function emitTile(
  f: Func,
  device: DeviceInfo,
  rows: number,
  vectors: number,
  inner: Local<"i32">,
  left: Left,
  right: Right,
): Local<"v128">[] {
  const sums = f.localArray("v128", rows * vectors);
  for (const sum of sums) f.set(sum, f32x4.const(0));
  const a = [f.local("i32", left.pointer)];
  if (left.order === "rows") for (let r = 1; r < rows; r++) a.push(f.local("i32", i32.add(a[r - 1]!, left.stride)));
  const b = f.local("i32", right.pointer);
  const byRow = rows > vectors;
  const held = f.localArray("v128", Math.min(rows, vectors));
  const moving = f.local("v128");
  const fence = fences(f, a[0]!);
  const spacing = loadsPerFence(rows * vectors + held.length);

  const aStep = left.order === "rows" ? 4 : typeof left.stride === "number" ? left.stride : null;
  const bStep = typeof right.stride === "number" ? right.stride : null;
  const terms = (count: number): void => {
    let loads = 0;
    for (let u = 0; u < count; u++) {
      const element = (r: number) =>
        left.order === "rows" ? v128.load32_splat(a[r]!, 4 * u) : v128.load32_splat(a[0]!, u * (aStep ?? 0) + 4 * r);
      const vector = (v: number) => v128.load(b, u * (bStep ?? 0) + 16 * v);
      held.forEach((x, i) => {
        f.set(x, byRow ? vector(i) : element(i));
      });
      for (let i = 0; i < Math.max(rows, vectors); i++) {
        f.set(moving, byRow ? element(i) : vector(i));
        held.forEach((x, h) => {
          const sum = sums[byRow ? i * vectors + h : h * vectors + i]!;
          f.set(sum, madd(moving, x, sum, device));
        });
        if (++loads % spacing === 0) fence(1);
      }
      if (bStep === null) f.increment(b, right.stride);
      if (aStep === null) f.increment(a[0]!, left.stride);
    }
    if (bStep !== null) f.increment(b, count * bStep);
    if (aStep !== null) for (const pointer of a) f.increment(pointer, count * aStep);
  };

  const rest = f.local("i32", inner);
  for (const count of [UNROLL, 1]) {
    f.if(i32.ge_s(rest, count), () =>
      f.doWhile(
        () => {
          terms(count);
          f.increment(rest, -count);
        },
        () => i32.ge_s(rest, count),
      ),
    );
  }
  f.free(rest, moving, b, ...held, ...a);
  return sums;
}
