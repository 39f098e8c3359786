import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { fences, loadsPerFence } from "../matmul/fences.js";
import type { Dot } from "./dot.js";
import { twoBytes } from "./stream.js";

type I = Local<"i32">;

export interface StreamTile {
  readonly dot: Dot;
  readonly share: 1 | 2;
  readonly vectors: number;
  /** The tile's first vector in the panel. */
  readonly first: number;
  readonly pitch: number;
  readonly floats: boolean;
}

/** The most vectors of a tile: an accumulator for each row, a word for each row, one vector of X, and without `quads` a product. */
export const streamVectors = ({ form }: Dot, share: 1 | 2): number =>
  share === 1 ? (form === "quads" ? 12 : 11) : form === "quads" ? 6 : 5;

/**
 * One strip over one slab: sums[r][j] += Σ over kept words of word[r] · X[number][j]. `at.w` ends behind its twos.
 *
 * A row alone loads X once for each dot product: 11 vectors and a broadcast for 11 dot products and 11 additions: 5.5 cycles at four vector
 * operations a cycle, 6 for the loads. Two rows that share words load half as much, and are bound by the products as dense tiles are.
 */
export function streamTile(
  f: Func,
  { dot, share, vectors, first, pitch, floats }: StreamTile,
  at: { w: I; twos: I; x: I; sums: I; fresh: I; last: I; start: I },
): void {
  const sums = Array.from({ length: share }, () => f.localArray("v128", vectors));
  const place = (r: number, j: number): number => r * pitch + 16 * (first + j);
  const each = (visit: (sum: Local<"v128">, r: number, j: number) => void): void =>
    sums.forEach((row, r) => {
      row.forEach((sum, j) => {
        visit(sum, r, j);
      });
    });
  f.if(
    at.fresh,
    () => each((sum, r) => f.set(sum, dot.form === "quads" ? v128.load32_splat(at.start, 4 * r) : f32x4.const(0))),
    () => each((sum, r, j) => f.set(sum, v128.load(at.sums, place(r, j)))),
  );
  const { w } = at;
  const words = f.localArray("v128", share);
  const column = f.local("v128");
  const next = f.local("i32");
  const rows = f.localArray("i32", 2);
  const end = f.local("i32");
  const fence = fences(f, w);
  const spacing = loadsPerFence(share * vectors + share + (dot.form === "quads" ? 0 : 1));
  const size = twoBytes(share);
  f.if(at.twos, () => {
    f.set(end, i32.add(w, i32.mul(at.twos, size)));
    f.set(next, i32.load(w));
    f.doWhile(
      () => {
        let loads = 0;
        f.set(rows[0]!, i32.add(at.x, i32.mul(i32.and(next, 0xffff), pitch)));
        f.set(rows[1]!, i32.add(at.x, i32.mul(i32.shr_u(next, 16), pitch)));
        f.set(next, i32.load(w, size));
        for (let u = 0; u < 2; u++) {
          words.forEach((word, r) => {
            f.set(word, v128.load32_splat(w, 4 + 4 * (u * share + r)));
          });
          for (let j = 0; j < vectors; j++) {
            f.set(column, v128.load(rows[u]!, 16 * (first + j)));
            words.forEach((word, r) => {
              f.set(sums[r]![j]!, dot.add(sums[r]![j]!, column, word));
            });
            if (++loads % spacing === 0 && !(u === 1 && j === vectors - 1)) fence(1);
          }
        }
        f.increment(w, size);
      },
      () => i32.lt_u(w, end),
    );
  });
  const put = (convert: boolean): void =>
    each((sum, r, j) => f.storeV128(at.sums, convert ? f32x4.convert_i32x4_s(sum) : sum, place(r, j)));
  if (floats)
    f.if(
      at.last,
      () => put(true),
      () => put(false),
    );
  else put(false);
  f.free(...sums.flat(), ...words, column, next, ...rows, end);
}
