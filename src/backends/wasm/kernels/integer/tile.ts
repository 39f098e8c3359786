import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { fences, loadsPerFence } from "../matmul/fences.js";
import type { Dot } from "./dot.js";

type I = Local<"i32">;

export interface IntegerTile {
  readonly dot: Dot;
  /** Rows of W and vectors of X: rows × vectors accumulators. */
  readonly rows: number;
  readonly vectors: number;
  /** The tile's first vector in the panel. */
  readonly first: number;
  readonly pitch: number;
  /** The result is float32: the last slab's sums are converted. */
  readonly floats: boolean;
}

export interface TileArguments {
  readonly w: I;
  /** Bytes between rows of W. */
  readonly stride: I;
  readonly x: I;
  /** Words of the slab: a multiple of 2. */
  readonly words: I;
  readonly sums: I;
  /** Not 0 in the first slab, and in the last. */
  readonly fresh: I;
  readonly last: I;
  /** int32 that the rows' sums start from; `quads` only. */
  readonly start: I;
}

const UNROLL = 2;

/** The most vectors of a tile with 2 rows: an accumulator each, 2 words of W, one vector of X, and for `pairs` a product. */
export const mostVectors = ({ form }: Dot): number => (form === "quads" ? 6 : 5);

/**
 * One tile over one slab: sums[r][j] += Σ W[r][word] · X[word][j], word by word.
 *
 * 2 × 5 `pairs`: 2 broadcasts and 5 loads for 10 dot products and 10 additions, which are 80 multiply-adds: 5 cycles where 4 vector
 * operations start in each, two of them products, and 3.5 for the loads. 2 × 6 `quads`: 8 loads for 12 dot products, 192 multiply-adds: 6 cycles.
 */
export function integerTile(
  f: Func,
  { dot, rows, vectors, first, pitch, floats }: IntegerTile,
  at: TileArguments,
): void {
  const sums = Array.from({ length: rows }, () => f.localArray("v128", vectors));
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
  const x = f.local("i32", i32.add(at.x, 16 * first));
  const w = f.localArray("i32", rows);
  w.forEach((pointer, r) => {
    f.set(pointer, r === 0 ? at.w : i32.add(w[r - 1]!, at.stride));
  });
  const held = f.localArray("v128", rows);
  const moving = f.local("v128");
  const fence = fences(f, w[0]!);
  const spacing = loadsPerFence(rows * vectors + rows + (dot.form === "quads" ? 0 : 1));
  const end = f.local("i32", i32.add(w[0]!, i32.shl(at.words, 2)));
  f.block(() =>
    f.doWhile(
      () => {
        let loads = 0;
        for (let u = 0; u < UNROLL; u++) {
          held.forEach((weight, r) => {
            f.set(weight, v128.load32_splat(w[r]!, 4 * u));
          });
          for (let j = 0; j < vectors; j++) {
            f.set(moving, v128.load(x, u * pitch + 16 * j));
            held.forEach((weight, r) => {
              f.set(sums[r]![j]!, dot.add(sums[r]![j]!, moving, weight));
            });
            if (++loads % spacing === 0 && !(u === UNROLL - 1 && j === vectors - 1)) fence(1);
          }
        }
        f.increment(x, UNROLL * pitch);
        for (const pointer of w) f.increment(pointer, 4 * UNROLL);
      },
      () => i32.lt_u(w[0]!, end),
    ),
  );
  const put = (convert: boolean): void =>
    each((sum, r, j) => f.storeV128(at.sums, convert ? f32x4.convert_i32x4_s(sum) : sum, place(r, j)));
  if (floats)
    f.if(
      at.last,
      () => put(true),
      () => put(false),
    );
  else put(false);
  f.free(...sums.flat(), x, ...w, ...held, moving, end);
}
