import { boseNelson } from "../../../../sparsity/index.js";
import { type Func, f32x4, i8x16, i16x8, i32x4, type Local, type V128, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import type { ElementCode, Ranking } from "./elements.js";
import { SCRATCH } from "./scratch.js";

type Vector = Local<"v128">;

const NETWORK = boseNelson(16);

/** Where the part of the network ends that needs no more than rows 0, 1, 2 and 3 of a tile. */
const END_OF_ROW = [0, 1, 2, 3].map((row) => {
  const end = NETWORK.findIndex(([, high]) => high >> 2 > row);
  return end < 0 ? NETWORK.length : end;
});

/**
 * Sorts what a row that has just been read makes possible: few keys at a time stay in registers. `keys` are those of its places and of the
 * rows before; they get their place in the low bits.
 */
export function sortRow(f: Func, keys: readonly Vector[], row: number): void {
  for (let place = 4 * row; place < 4 * row + 4; place++) {
    if (place > 0) f.set(keys[place]!, v128.or(keys[place]!, i32x4.const(place)));
  }
  const spare = f.local("v128");
  for (const [low, high] of NETWORK.slice(END_OF_ROW[row - 1] ?? 0, END_OF_ROW[row])) {
    const [a, b] = [keys[low]!, keys[high]!];
    f.set(spare, i32x4.min_s(a, b));
    f.set(b, i32x4.max_s(a, b));
    f.set(a, spare);
  }
  f.free(spare);
}

/**
 * Writes 16 vectors to the scratch's order: the place of the smallest of 16 elements in the low four bits of each lane, of the next, …, for the
 * tile of each lane. `keys` are sorted by `sortRow`, two instructions a comparator; `tiles` points at the elements. Where two keys differ in
 * nothing but the place, or one is a NaN, sorts floats and places, seven instructions a comparator, as PyTorch's network would.
 */
export function finishSort(
  f: Func,
  element: ElementCode,
  by: Ranking,
  keys: readonly Vector[],
  tiles: Local<"i32">,
): void {
  keys.forEach((key, rank) => {
    f.storeV128(tiles, key, SCRATCH.order + 16 * rank);
  });
  const spare = f.local("v128", v128.xor(keys[0]!, keys[1]!));
  for (let i = 1; i < 15; i++) f.set(spare, i32x4.min_u(spare, v128.xor(keys[i]!, keys[i + 1]!)));
  const [lowest, highest] = element.keyRange(by);
  const nan = [
    i32x4.gt_s(keys[15]!, i32x4.const(highest)),
    ...(by === "value" ? [i32x4.lt_s(keys[0]!, i32x4.const(lowest))] : []),
  ];
  // Of the sorted keys at most two neighbours differ in sign, so the smallest difference is no negative number.
  const doubtful = nan.reduce(v128.or, i32x4.lt_s(spare, i32x4.const(16)));
  f.if(v128.any_true(doubtful), () => sortExactly(f, element, by, keys, tiles));
  f.free(spare);
}

function sortExactly(f: Func, element: ElementCode, by: Ranking, ranks: readonly Vector[], tiles: Local<"i32">): void {
  const places = f.localArray("v128", 16);
  const [less, spare] = [f.local("v128"), f.local("v128")];
  ranks.forEach((rank, place) => {
    f.set(rank, v128.load(tiles, 16 * place));
    element.rank(f, rank, rank, by);
    f.set(places[place]!, i32x4.const(place));
  });
  for (const [low, high] of NETWORK) {
    const [a, b] = [ranks[low]!, ranks[high]!];
    f.set(less, f32x4.lt(a, b));
    f.set(spare, f32x4.pmin(b, a)); // a where a < b, else b
    f.set(b, f32x4.pmax(a, b)); // b where a < b, else a
    f.set(a, spare);
    const [p, q] = [places[low]!, places[high]!];
    f.set(spare, v128.andnot(v128.xor(p, q), less));
    f.set(p, v128.xor(p, spare));
    f.set(q, v128.xor(q, spare));
  }
  places.forEach((place, rank) => {
    f.storeV128(tiles, place, SCRATCH.order + 16 * rank);
  });
  f.free(...places, less, spare);
}

const bytes = (of: (i: number) => number): V128 => v128.const(Array.from({ length: 16 }, (_, i) => of(i) & 0xff));

/** One bit for the place's row, one for its column. */
const LINES = bytes((place) => (1 << (place >> 2)) | (16 << (place & 3)));
const LOW = bytes((place) => 1 << place);
const HIGH = bytes((place) => (1 << place) >> 8);

/**
 * Sets `low` and `high` to the kept entries of 16 tiles, eight bits each: from the largest place to the smallest, what its row and column have
 * room for, by the scratch's order. The rows and columns that keep one entry at least are bits of `once`, those that keep two of `twice`.
 */
export function keepGreedily(f: Func, device: DeviceInfo, scratch: Local<"i32">, low: Vector, high: Vector): void {
  const lookUp = device.relaxed ? i8x16.relaxed_swizzle : i8x16.swizzle;
  const [once, twice, place, lines, keep] = f.localArray("v128", 5) as [Vector, Vector, Vector, Vector, Vector];
  const places = (rank: number): V128 => {
    const four = (group: number): V128 =>
      v128.and(v128.load(scratch, SCRATCH.order + 256 * group + 16 * rank), i32x4.const(15));
    return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(four(0), four(1)), i16x8.narrow_i32x4_s(four(2), four(3)));
  };
  for (let rank = 15; rank >= 0; rank--) {
    f.set(place, places(rank));
    f.set(lines, lookUp(LINES, place));
    if (rank === 15) {
      f.set(once, lines);
      f.set(twice, i32x4.const(0));
      f.set(low, lookUp(LOW, place));
      f.set(high, lookUp(HIGH, place));
      continue;
    }
    f.set(keep, i8x16.eq(v128.and(twice, lines), i32x4.const(0)));
    f.set(lines, v128.and(lines, keep));
    f.set(twice, v128.or(twice, v128.and(once, lines)));
    f.set(once, v128.or(once, lines));
    f.set(low, v128.or(low, v128.and(lookUp(LOW, place), keep)));
    f.set(high, v128.or(high, v128.and(lookUp(HIGH, place), keep)));
  }
  f.free(once, twice, place, lines, keep);
}
