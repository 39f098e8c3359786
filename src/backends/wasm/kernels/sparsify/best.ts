import { HALF_TILES, type HalfTiles } from "../../../../sparsity/index.js";
import { type Func, f32x4, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { selectLanes } from "./relaxed.js";

type Vector = Local<"v128">;

/** Sums of two magnitudes of a row, by the pair of columns as bits. */
type RowSums = ReadonlyMap<number, Vector>;

/**
 * Sets `mask` to what four tiles with these float32 magnitudes keep, 16 bits a lane: of the 90 ways to keep two in each row and column the one of the largest sum. 24 sums of
 * two in a row, 36 of two rows above and 36 below, of which the best for each way of sharing the columns: 19 tiles to choose from.
 */
export function keepBest(f: Func, device: DeviceInfo, magnitudes: readonly Vector[], mask: Vector): void {
  const select = selectLanes(device);
  const sums = [0, 1, 2, 3].map((row): RowSums => {
    const pairs = new Map<number, Vector>();
    for (let a = 0; a < 4; a++) {
      for (let b = a + 1; b < 4; b++) {
        const sum = f32x4.add(magnitudes[4 * row + a]!, magnitudes[4 * row + b]!);
        pairs.set((1 << a) | (1 << b), f.local("v128", sum));
      }
    }
    return pairs;
  });
  const best = f.local("v128");
  const total = f.local("v128");
  const larger = f.local("v128");
  HALF_TILES.forEach((half, i) => {
    const upper = bestWay(f, half, sums[0]!, sums[1]!, 0);
    const lower = bestWay(f, HALF_TILES[half.complement]!, sums[2]!, sums[3]!, 8);
    f.set(total, f32x4.add(upper.sum, lower.sum));
    const both = v128.or(upper.mask, lower.mask);
    f.free(upper.sum, lower.sum, upper.mask, lower.mask);
    if (i === 0) {
      f.set(best, total);
      f.set(mask, both);
      return;
    }
    f.set(larger, f32x4.gt(total, best));
    f.set(best, f32x4.pmax(best, total));
    f.set(mask, select(both, mask, larger));
  });
  f.free(best, total, larger, ...sums.flatMap((row) => [...row.values()]));
}

/** The largest sum of two rows that share the columns as `half` says, and the entries that it keeps, moved up by `shift` bits. */
function bestWay(
  f: Func,
  { ways }: HalfTiles,
  first: RowSums,
  second: RowSums,
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
