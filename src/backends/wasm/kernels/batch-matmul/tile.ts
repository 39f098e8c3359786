import { type Func, f32x4, type I32, i32, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { madd } from "../../math.js";

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
  const x = f.localArray("v128", vectors);
  const w = f.local("v128");

  const aStep = left.order === "rows" ? 4 : typeof left.stride === "number" ? left.stride : null;
  const bStep = typeof right.stride === "number" ? right.stride : null;
  const term = (aOffset: number, bOffset: number): void => {
    x.forEach((vector, v) => {
      f.set(vector, v128.load(b, bOffset + 16 * v));
    });
    for (let r = 0; r < rows; r++) {
      f.set(w, left.order === "rows" ? v128.load32_splat(a[r]!, aOffset) : v128.load32_splat(a[0]!, aOffset + 4 * r));
      for (let v = 0; v < vectors; v++) f.set(sums[r * vectors + v]!, madd(w, x[v]!, sums[r * vectors + v]!, device));
    }
  };
  const terms = (count: number): void => {
    for (let u = 0; u < count; u++) {
      term(u * (aStep ?? 0), u * (bStep ?? 0));
      if (bStep === null) f.increment(b, right.stride);
      if (aStep === null) f.increment(a[0]!, left.stride);
    }
    if (bStep !== null) f.increment(b, count * bStep);
    if (aStep !== null) for (const pointer of a) f.increment(pointer, count * aStep);
  };

  const rest = f.local("i32", inner);
  f.while(i32.ge_s(rest, UNROLL), () => {
    terms(UNROLL);
    f.increment(rest, -UNROLL);
  });
  f.while(rest, () => {
    terms(1);
    f.increment(rest, -1);
  });
  f.free(rest, w, b, ...x, ...a);
  return sums;
}
