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

/** Puts two keys in order. */
type Exchange = (f: Func, a: Vector, b: Vector, spare: Vector) => void;

/** By key and place: two instructions. */
const byKey: Exchange = (f, a, b, spare) => {
  f.set(spare, i32x4.min_s(a, b));
  f.set(b, i32x4.max_s(a, b));
  f.set(a, spare);
};

/** As PyTorch's network, which swaps equal keys whatever their places: four instructions. */
const swappingTies =
  (device: DeviceInfo, less: Vector): Exchange =>
  (f, a, b, spare) => {
    const select = selectLanes(device);
    f.set(less, i32x4.gt_s(b, v128.or(a, i32x4.const(15))));
    f.set(spare, select(a, b, less));
    f.set(b, select(b, a, less));
    f.set(a, spare);
  };

/**
 * Sorts the keys of two rows of tiles, the first two or the last two, with their places in the low bits, and writes them to the scratch's order.
 */
export function sortHalf(
  f: Func,
  keys: readonly Vector[],
  half: 0 | 1,
  tiles: Local<"i32">,
  exchange: Exchange = byKey,
): void {
  keys.forEach((key, i) => {
    if (8 * half + i > 0) f.set(key, v128.or(key, i32x4.const(8 * half + i)));
  });
  compareAll(f, keys, boseNelson(8), exchange);
  keys.forEach((key, i) => {
    f.storeV128(tiles, key, SCRATCH.order + 16 * (8 * half + i));
  });
}

function compareAll(f: Func, keys: readonly Vector[], comparators: readonly Comparator[], exchange: Exchange): void {
  const spare = f.local("v128");
  for (const [low, high] of comparators) exchange(f, keys[low]!, keys[high]!, spare);
  f.free(spare);
}

function mergeHalves(f: Func, tiles: Local<"i32">, exchange: Exchange): void {
  const keys = f.localArray("v128", 8);
  for (const part of MERGES) {
    const places = [...new Set(part.flat())].toSorted((a, b) => a - b);
    places.forEach((place, i) => {
      f.set(keys[i]!, v128.load(tiles, SCRATCH.order + 16 * place));
    });
    const comparators = part.map(([low, high]): Comparator => [places.indexOf(low), places.indexOf(high)]);
    compareAll(f, keys, comparators, exchange);
    places.forEach((place, i) => {
      f.storeV128(tiles, keys[i]!, SCRATCH.order + 16 * place);
    });
  }
  f.free(...keys);
}

/**
 * Leaves 16 vectors in the scratch's order, which holds two halves sorted by key: the place of the smallest of 16 elements in the low four bits of
 * each lane, of the next, …, for the tile of each lane. Where keys tie that stand for equal elements, sorts them again as PyTorch's network
 * would; where their elements may differ in what the keys leave out, or one is a NaN, sorts the floats that `tiles` points at.
 */
export function finishSort(f: Func, device: DeviceInfo, element: ElementCode, by: Ranking, tiles: Local<"i32">): void {
  mergeHalves(f, tiles, byKey);
  const [lowest, highest] = element.keyRange(by);
  const nan = f.local(
    "v128",
    v128.or(
      i32x4.lt_s(sortedKey(tiles, 0), i32x4.const(lowest)),
      i32x4.gt_s(sortedKey(tiles, 15), i32x4.const(highest)),
    ),
  );
  const closest = closestKeys(f, tiles, (difference) => difference);
  f.if(v128.any_true(v128.or(nan, isTie(closest))), () => {
    const lossy = f.local("v128", nan);
    if (element.bytes === 4) {
      const besidesZeros = closestKeys(f, tiles, (difference, above) =>
        v128.or(difference, i32x4.lt_u(above, i32x4.const(16))),
      );
      f.set(lossy, v128.or(lossy, v128.or(isTie(besidesZeros), hasTinyElement(f, tiles))));
      f.free(besidesZeros);
    }
    f.if(
      v128.any_true(lossy),
      () => sortExactly(f, device, element, by, tiles),
      () => sortTied(f, device, element, by, tiles),
    );
    f.free(lossy);
  });
  f.free(nan, closest);
}

const sortedKey = (tiles: Local<"i32">, rank: number): V128 => v128.load(tiles, SCRATCH.order + 16 * rank);

/** The smallest difference between neighbouring keys, as an exclusive or; below 16 where only the places differ. */
function closestKeys(f: Func, tiles: Local<"i32">, of: (difference: V128, above: Vector) => V128): Vector {
  const [closest, below, above] = [f.local("v128"), f.local("v128"), f.local("v128", sortedKey(tiles, 0))];
  for (let rank = 1; rank < 16; rank++) {
    f.set(below, above);
    f.set(above, sortedKey(tiles, rank));
    f.set(below, of(v128.xor(below, above), above));
    f.set(closest, rank === 1 ? below : i32x4.min_u(closest, below));
  }
  f.free(below, above);
  return closest;
}

const isTie = (closest: Vector): V128 => i32x4.lt_u(closest, i32x4.const(16));

/** Where an element of float32 is not 0 and yet so small that its key is that of 0. */
function hasTinyElement(f: Func, tiles: Local<"i32">): V128 {
  const smallest = f.local("v128", i32x4.const(-1));
  for (let place = 0; place < 16; place++) {
    const magnitude = v128.and(v128.load(tiles, 16 * place), i32x4.const(0x7fffffff));
    f.set(smallest, i32x4.min_u(smallest, i32x4.sub(magnitude, i32x4.const(1))));
  }
  f.free(smallest);
  return i32x4.lt_u(smallest, i32x4.const(15));
}

function sortTied(f: Func, device: DeviceInfo, element: ElementCode, by: Ranking, tiles: Local<"i32">): void {
  const less = f.local("v128");
  const exchange = swappingTies(device, less);
  const keys = f.localArray("v128", 8);
  for (const half of [0, 1] as const) {
    keys.forEach((key, i) => {
      f.set(key, v128.load(tiles, 16 * (8 * half + i)));
      element.key(f, key, key, by);
    });
    sortHalf(f, keys, half, tiles, exchange);
  }
  mergeHalves(f, tiles, exchange);
  f.free(less, ...keys);
}

/** Floats and places side by side: five instructions a comparator. */
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
