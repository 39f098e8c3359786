import { type Func, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from "../../asm/index.js";
import type { ElementCode, Ranking } from "./elements.js";
import { SCRATCH } from "./scratch.js";

type Vector = Local<"v128">;
type Pointer = Local<"i32">;
type Four<T> = readonly [T, T, T, T];

/**
 * What a unit's comparisons say, 16 bits for each two tiles side by side. Where not said otherwise the bits are of a row of the first tile, the same row of
 * the second, and the next row of both, four columns each: of the upper two rows, or of the lower two.
 */
export const LESS = {
  /** x[r, c] < x[r, c + 1], columns counted round. */
  right: [SCRATCH.less, SCRATCH.less + 16],
  /** x[r, c] < x[r + 1, c], rows counted round. */
  below: [SCRATCH.less + 32, SCRATCH.less + 48],
  /** x[r, c] < x[r + 2, c] of the upper rows. */
  twoBelow: SCRATCH.less + 64,
  /** x[r, c] < x[r, c + 2] of columns 0 and 1: four bits for each row of both tiles. */
  twoRight: SCRATCH.less + 80,
} as const;

/**
 * Compares each entry of 16 tiles with those of its row and of its column, and writes `LESS`. Sets `equal` to 1 where two of them are equal, as far as
 * keys say, or one is a NaN: then what it wrote is void.
 */
export function compareUnit(
  f: Func,
  element: ElementCode,
  by: Ranking,
  rows: Four<Pointer>,
  scratch: Pointer,
  equal: Local<"i32">,
): void {
  const from = rows.map((row) => f.local("i32", row)) as unknown as Four<Pointer>;
  const words = f.local("i32", scratch);
  const end = f.local("i32", i32.add(scratch, 16));
  const [closest, greatest] = [f.local("v128", i32x4.const(-1)), f.local("v128", i32x4.const(0))];
  f.doWhile(
    () => {
      comparePair(f, element, by, from, { words, closest, greatest });
      for (const row of from) f.increment(row, 8 * element.bytes);
      f.increment(words, 2);
    },
    () => i32.lt_u(words, end),
  );
  const tied = i8x16.eq(closest, i32x4.const(0));
  f.set(equal, v128.any_true(v128.or(tied, element.isNaN(greatest))));
  f.free(...from, words, end, closest, greatest);
}

interface Pair {
  readonly words: Pointer;
  /** The smallest differences, sign and all. */
  readonly closest: Vector;
  /** The greatest magnitudes. */
  readonly greatest: Vector;
}

/** Two tiles side by side: a vector a row for two-byte elements, two for float32. */
function comparePair(f: Func, element: ElementCode, by: Ranking, from: Four<Pointer>, pair: Pair): void {
  const wide = element.bytes === 4;
  const tiles = wide ? [0, 1] : [0];
  const x = from.map((row) => tiles.map((tile) => element.ordered(f, v128.load(row, 16 * tile), by, pair.greatest)));
  /** Differences of 16 bits of two tiles' row, from those of their vectors. */
  const difference = (of: (tile: number) => V128): V128 => (wide ? i16x8.narrow_i32x4_s(of(0), of(1)) : of(0));
  const minus = wide ? i32x4.sub : i16x8.sub_sat_s;
  const word = (upper: V128, lower: V128, at: number): void => {
    const bytes = f.local("v128", i8x16.narrow_i16x8_s(upper, lower));
    f.storeI32_16(pair.words, i8x16.bitmask(bytes), at);
    f.set(pair.closest, i8x16.min_u(pair.closest, bytes));
    f.free(bytes);
  };
  const rotated = (v: Vector): V128 =>
    wide
      ? v128.shuffle32(v, v, [1, 2, 3, 0])
      : v128.shuffle(v, v, [2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9]);
  const right = (r: number): V128 => difference((tile) => minus(x[r]![tile]!, rotated(x[r]![tile]!)));
  const below = (r: number, by: number): V128 => difference((tile) => minus(x[r]![tile]!, x[(r + by) & 3]![tile]!));
  for (const half of [0, 1] as const) {
    word(right(2 * half), right(2 * half + 1), LESS.right[half]);
    word(below(2 * half, 1), below(2 * half + 1, 1), LESS.below[half]);
  }
  word(below(0, 2), below(1, 2), LESS.twoBelow);
  // Columns 0 and 1 of a row of both tiles, and the next row's, less columns 2 and 3.
  const twoRight = (r: number): V128 => {
    if (!wide) {
      const [p, q] = [x[r]![0]!, x[r + 1]![0]!];
      return i16x8.sub_sat_s(v128.shuffle32(p, q, [0, 2, 4, 6]), v128.shuffle32(p, q, [1, 3, 5, 7]));
    }
    const of = (row: number): V128 => {
      const [p, q] = x[row] as [Vector, Vector];
      return i32x4.sub(v128.shuffle32(p, q, [0, 1, 4, 5]), v128.shuffle32(p, q, [2, 3, 6, 7]));
    };
    return i16x8.narrow_i32x4_s(of(r), of(r + 1));
  };
  word(twoRight(0), twoRight(2), LESS.twoRight);
  f.free(...x.flat());
}
