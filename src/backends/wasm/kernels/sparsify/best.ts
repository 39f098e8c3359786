import { HALF_TILES, type HalfTiles } from "../../../../sparsity/index.js";
import { type Func, f32x4, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { selectLanes } from "./relaxed.js";
import { SCRATCH } from "./scratch.js";

type Vector = Local<"v128">;

/** Sums of two magnitudes of a row, by the pair of columns as bits. */
type RowSums = ReadonlyMap<number, Vector>;

/**
 * Of the 90 ways to keep two in each row and column of a tile the one of the largest sum, for four tiles: 24 sums of two in a row, 36 of two rows
 * above and 36 below, of which the best for each way of sharing the columns: 19 tiles to choose from. The upper rows' bests wait in the
 * scratch, so that few values need registers at a time.
 */
export function keepBestAbove(f: Func, magnitudes: readonly Vector[], scratch: Local<"i32">): void {
  const sums = rowSums(f, magnitudes);
  HALF_TILES.forEach((half, i) => {
    const upper = bestWay(f, half, sums, 0);
    f.storeV128(scratch, upper.sum, SCRATCH.order + 32 * i);
    f.storeV128(scratch, upper.mask, SCRATCH.order + 32 * i + 16);
    f.free(upper.sum, upper.mask);
  });
  freeSums(f, sums);
}

/** Sets `mask` to what the tiles keep, 16 bits a lane, given the lower two rows' float32 magnitudes. */
export function keepBestBelow(
  f: Func,
  device: DeviceInfo,
  magnitudes: readonly Vector[],
  scratch: Local<"i32">,
  mask: Vector,
): void {
  const select = selectLanes(device);
  const sums = rowSums(f, magnitudes);
  const [best, total, larger] = [f.local("v128"), f.local("v128"), f.local("v128")];
  HALF_TILES.forEach((half, i) => {
    const lower = bestWay(f, HALF_TILES[half.complement]!, sums, 8);
    f.set(total, f32x4.add(v128.load(scratch, SCRATCH.order + 32 * i), lower.sum));
    const both = v128.or(v128.load(scratch, SCRATCH.order + 32 * i + 16), lower.mask);
    if (i === 0) {
      f.set(best, total);
      f.set(mask, both);
    } else {
      f.set(larger, f32x4.gt(total, best));
      f.set(best, f32x4.pmax(best, total));
      f.set(mask, select(both, mask, larger));
    }
    f.free(lower.sum, lower.mask);
  });
  f.free(best, total, larger);
  freeSums(f, sums);
}

function rowSums(f: Func, magnitudes: readonly Vector[]): readonly [RowSums, RowSums] {
  const of = (row: number): RowSums => {
    const pairs = new Map<number, Vector>();
    for (let a = 0; a < 4; a++) {
      for (let b = a + 1; b < 4; b++) {
        const sum = f32x4.add(magnitudes[4 * row + a]!, magnitudes[4 * row + b]!);
        pairs.set((1 << a) | (1 << b), f.local("v128", sum));
      }
    }
    return pairs;
  };
  return [of(0), of(1)];
}

const freeSums = (f: Func, sums: readonly RowSums[]): void => f.free(...sums.flatMap((row) => [...row.values()]));

/** The largest sum of two rows that share the columns as `half` says, and the entries that it keeps, moved up by `shift` bits. */
function bestWay(
  f: Func,
  { ways }: HalfTiles,
  [first, second]: readonly [RowSums, RowSums],
  shift: number,
): { readonly sum: Vector; readonly mask: Vector } {
  const [sum, mask, other, larger] = f.localArray("v128", 4) as [Vector, Vector, Vector, Vector];
  const bits = ([a, b]: readonly [number, number]): number => (a | (b << 4)) << shift;
  ways.forEach((way, i) => {
    const here = f32x4.add(first.get(way[0])!, second.get(way[1])!);
    if (i === 0) {
      f.set(sum, here);
      f.set(mask, i32x4.const(bits(way)));
      return;
    }
    f.set(other, here);
    f.set(larger, f32x4.gt(other, sum));
    f.set(sum, f32x4.pmax(sum, other));
    if (i === 1) f.set(mask, v128.xor(mask, v128.and(larger, i32x4.const(bits(way) ^ bits(ways[0]!)))));
    else f.set(mask, v128.bitselect(i32x4.const(bits(way)), mask, larger));
  });
  f.free(other, larger);
  return { sum, mask };
}
