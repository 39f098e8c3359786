import { boseNelson, type Comparator } from "../../../../sparsity/index.js";
import { type Func, f32x4, i8x16, i16x8, i32x4, type Local, type V128, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import type { ElementCode, Ranking } from "./elements.js";
import { lookUpBytes, selectLanes } from "./relaxed.js";
import { SCRATCH } from "./scratch.js";

type Vector = Local<"v128">;

const NETWORK = boseNelson(16);

/** How the network merges two sorted halves: three times eight places, which fit into registers. */
const MERGES = (() => {
  const merge = NETWORK.slice(2 * boseNelson(8).length);
  const third = merge.length / 3;
  return [0, 1, 2].map((part) => merge.slice(part * third, (part + 1) * third));
})();

/**
 * Sorts the keys of two rows of tiles, the first two or the last two, with their places in the low bits, and writes them to the scratch's order.
 */
export function sortHalf(f: Func, keys: readonly Vector[], half: 0 | 1, tiles: Local<"i32">): void {
  keys.forEach((key, i) => {
    if (8 * half + i > 0) f.set(key, v128.or(key, i32x4.const(8 * half + i)));
  });
  compareAll(f, keys, boseNelson(8));
  keys.forEach((key, i) => {
    f.storeV128(tiles, key, SCRATCH.order + 16 * (8 * half + i));
  });
}

/**
 * Leaves 16 vectors in the scratch's order, which holds two sorted halves: the place of the smallest of 16 elements in the low four bits of each
 * lane, of the next, …, for the tile of each lane. Two instructions a comparator. Where two keys differ in nothing but the place, or one is
 * a NaN, sorts the floats that `tiles` points at and their places, five instructions a comparator, as PyTorch's network would.
 */
export function finishSort(f: Func, device: DeviceInfo, element: ElementCode, by: Ranking, tiles: Local<"i32">): void {
  const keys = f.localArray("v128", 8);
  for (const part of MERGES) {
    const places = [...new Set(part.flat())].toSorted((a, b) => a - b);
    places.forEach((place, i) => {
      f.set(keys[i]!, v128.load(tiles, SCRATCH.order + 16 * place));
    });
    compareAll(
      f,
      keys,
      part.map(([low, high]): Comparator => [places.indexOf(low), places.indexOf(high)]),
    );
    places.forEach((place, i) => {
      f.storeV128(tiles, keys[i]!, SCRATCH.order + 16 * place);
    });
  }
  f.free(...keys);
  const key = (rank: number): V128 => v128.load(tiles, SCRATCH.order + 16 * rank);
  const [closest, below, above] = [f.local("v128"), f.local("v128"), f.local("v128", key(0))];
  const [lowest, highest] = element.keyRange(by);
  const low = f.local("v128", i32x4.lt_s(above, i32x4.const(lowest)));
  for (let rank = 1; rank < 16; rank++) {
    f.set(below, above);
    f.set(above, key(rank));
    f.set(below, v128.xor(below, above));
    f.set(closest, rank === 1 ? below : i32x4.min_u(closest, below));
  }
  const nan = v128.or(low, i32x4.gt_s(above, i32x4.const(highest)));
  // Of the sorted keys at most two neighbours differ in sign, so the smallest difference is no negative number.
  const doubtful = v128.or(nan, i32x4.lt_s(closest, i32x4.const(16)));
  f.if(v128.any_true(doubtful), () => sortExactly(f, device, element, by, tiles));
  f.free(closest, below, above, low);
}

function compareAll(f: Func, keys: readonly Vector[], comparators: readonly Comparator[]): void {
  const spare = f.local("v128");
  for (const [low, high] of comparators) {
    const [a, b] = [keys[low]!, keys[high]!];
    f.set(spare, i32x4.min_s(a, b));
    f.set(b, i32x4.max_s(a, b));
    f.set(a, spare);
  }
  f.free(spare);
}

function sortExactly(f: Func, device: DeviceInfo, element: ElementCode, by: Ranking, tiles: Local<"i32">): void {
  const select = selectLanes(device);
  const ranks = f.localArray("v128", 16);
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
    f.set(spare, select(p, q, less));
    f.set(q, select(q, p, less));
    f.set(p, spare);
  }
  places.forEach((place, rank) => {
    f.storeV128(tiles, place, SCRATCH.order + 16 * rank);
  });
  f.free(...ranks, ...places, less, spare);
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
  const lookUp = lookUpBytes(device);
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
