import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { madd } from "../../math.js";
import { fences, loadsPerFence } from "./fences.js";

type I = Local<"i32">;

export interface DenseTile {
  /** Rows of W and vectors of X: rows × vectors accumulators. */
  readonly rows: number;
  readonly vectors: number;
  /** The tile's first vector in the panel. */
  readonly first: number;
  readonly pitch: number;
}

/** Rows that go best with a panel (or a pass) of so many vectors: at least 8 accumulators (4 cycles × 2 a cycle), at most 12. */
export const denseRowsFor = (vectors: number): number => [0, 8, 6, 3, 2, 2, 2][Math.min(vectors, 6)]!;

/** A panel of `width` vectors in passes of at most 6, nearly equal. */
export function passesOf(width: number, most: number): { first: number; vectors: number }[] {
  const count = Math.ceil(width / most);
  return Array.from({ length: count }, (_, i) => {
    const first = Math.ceil((i * width) / count);
    return { first, vectors: Math.ceil(((i + 1) * width) / count) - first };
  });
}

const UNROLL = 4;

/**
 * One tile over one slab: sums[r][j] += Σ_k W[r][k] · X[k][j]. W row-major, rows `stride` bytes apart.
 *
 * 2 × 6: 2 broadcasts and 6 loads for 12 multiply-adds; 6 × 2 the same the other way round. Bound by the multiply-adds:
 * 6 cycles where 2 start in each.
 */
export function denseTile(
  f: Func,
  { rows, vectors, first, pitch }: DenseTile,
  at: { w: I; stride: I; x: I; inputs: I; sums: I; fresh: I },
  device: DeviceInfo,
): void {
  const sums = Array.from({ length: rows }, () => f.localArray("v128", vectors));
  const place = (r: number, j: number): number => r * pitch + 16 * (first + j);
  loadSums(f, sums, place, at);
  const x = f.local("i32", i32.add(at.x, 16 * first));
  const w = Array.from({ length: rows }, (_, r) => f.local("i32", r === 0 ? at.w : undefined));
  for (let r = 1; r < rows; r++) f.set(w[r]!, i32.add(w[r - 1]!, at.stride));
  const held = f.localArray("v128", Math.min(rows, vectors));
  const moving = f.local("v128");
  const fence = fences(f, w[0]!);
  const spacing = loadsPerFence(rows * vectors + held.length);

  const steps = (unroll: number): void => {
    let loads = 0;
    const loaded = (last: boolean): void => {
      if (++loads % spacing === 0 && !last) fence(1);
    };
    for (let u = 0; u < unroll; u++) {
      const weight = (r: number) => v128.load32_splat(w[r]!, 4 * u);
      const column = (j: number) => v128.load(x, u * pitch + 16 * j);
      const byRow = rows > vectors;
      held.forEach((vector, i) => f.set(vector, byRow ? column(i) : weight(i)));
      for (let i = 0; i < Math.max(rows, vectors); i++) {
        f.set(moving, byRow ? weight(i) : column(i));
        held.forEach((vector, h) => {
          const sum = byRow ? sums[i]![h]! : sums[h]![i]!;
          f.set(sum, madd(moving, vector, sum, device));
        });
        loaded(u === unroll - 1 && i === Math.max(rows, vectors) - 1);
      }
    }
    f.increment(x, unroll * pitch);
    for (const pointer of w) f.increment(pointer, 4 * unroll);
  };
  const end = f.local("i32");
  for (const [inputs, unroll] of [
    [i32.and(at.inputs, -UNROLL), UNROLL],
    [i32.and(at.inputs, UNROLL - 1), 1],
  ] as const) {
    f.set(end, i32.add(w[0]!, i32.shl(inputs, 2)));
    f.if(i32.lt_u(w[0]!, end), () =>
      f.doWhile(
        () => steps(unroll),
        () => i32.lt_u(w[0]!, end),
      ),
    );
  }
  storeSums(f, sums, place, at.sums);
  f.free(...sums.flat(), x, ...w, ...held, moving, end);
}

/** Sums start at zero in the first slab (`fresh` not 0), where the slab before left them after that. */
export function loadSums(
  f: Func,
  sums: readonly (readonly Local<"v128">[])[],
  place: (row: number, vector: number) => number,
  at: { sums: I; fresh: I },
): void {
  const each = (set: (sum: Local<"v128">, offset: number) => void): void =>
    sums.forEach((row, r) => row.forEach((sum, j) => set(sum, place(r, j))));
  f.if(
    at.fresh,
    () => each((sum) => f.set(sum, ZERO)),
    () => each((sum, offset) => f.set(sum, v128.load(at.sums, offset))),
  );
}
const ZERO = v128.const(new Array(16).fill(0));

export function storeSums(
  f: Func,
  sums: readonly (readonly Local<"v128">[])[],
  place: (row: number, vector: number) => number,
  to: I,
): void {
  sums.forEach((row, r) => row.forEach((sum, j) => f.storeV128(to, sum, place(r, j))));
}
