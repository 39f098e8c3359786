import { type Func, i8x16, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { keepBestAbove, keepBestBelow } from "./best.js";
import { compareUnit } from "./compare.js";
import type { ElementCode, Ranking } from "./elements.js";
import { finishSort, keepGreedily, sortHalf } from "./greedy.js";
import { SCRATCH } from "./scratch.js";
import { settle } from "./settle.js";
import { visitTiles } from "./tiles.js";

type Vector = Local<"v128">;
type Pointer = Local<"i32">;
type Four<T> = readonly [T, T, T, T];

/** After units that compare equal elements, at most so many are sorted at once. */
const PATIENCE = 15;

/**
 * What 16 tiles keep by a greedy algorithm, eight bits each in `low` and `high`. Where no two entries of a line are equal, comparisons tell; else
 * the tiles are sorted as PyTorch sorts them. Where equal ones come again and again (what a ReLU leaves), most units are sorted at once.
 */
export function chooseGreedily(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  by: Ranking,
  rows: Four<Pointer>,
  scratch: Pointer,
  low: Vector,
  high: Vector,
): void {
  const sorts = f.local("i32", i32.load(scratch, SCRATCH.patience));
  f.if(
    sorts,
    () => f.storeI32(scratch, i32.sub(sorts, 1), SCRATCH.patience),
    () => {
      compareUnit(f, element, by, rows, scratch, sorts);
      const next = f.local("i32", i32.load(scratch, SCRATCH.patience + 4));
      f.set(next, i32.and(i32.add(i32.shl(next, 1), 1), PATIENCE));
      f.set(next, i32.select(sorts, next, i32.const(0)));
      f.storeI32(scratch, i32.shr_u(next, 1), SCRATCH.patience);
      f.storeI32(scratch, next, SCRATCH.patience + 4);
      f.free(next);
    },
  );
  f.if(
    sorts,
    () => {
      visitTiles(f, element, rows, scratch, (place, values, tiles) => {
        element.key(f, values[place]!, values[place]!, by);
        if (place === 7) sortHalf(f, values.slice(0, 8), 0, tiles);
        if (place === 15) {
          sortHalf(f, values.slice(8), 1, tiles);
          finishSort(f, device, element, by, tiles);
        }
      });
      keepGreedily(f, device, scratch, low, high);
    },
    () => settle(f, device, scratch, low, high),
  );
  f.free(sorts);
}

/** What 16 tiles keep by `best`, eight bits each in `low` and `high`. */
export function chooseBest(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  rows: Four<Pointer>,
  scratch: Pointer,
  low: Vector,
  high: Vector,
): void {
  const masks = f.local("i32", i32.add(scratch, SCRATCH.masks));
  visitTiles(f, element, rows, scratch, (place, values) => {
    element.magnitude(f, values[place]!, values[place]!);
    if (place === 7) keepBestAbove(f, values.slice(0, 8), scratch);
    if (place !== 15) return;
    const mask = f.local("v128");
    keepBestBelow(f, device, values.slice(8), scratch, mask);
    f.storeV128(masks, mask);
    f.increment(masks, 16);
    f.free(mask);
  });
  f.free(masks);
  const words = [0, 1].map((half) => {
    const of = (group: number) => v128.load(scratch, SCRATCH.masks + 16 * group);
    return f.local("v128", i16x8.narrow_i32x4_u(of(2 * half), of(2 * half + 1)));
  }) as [Vector, Vector];
  const byte = i32x4.const(0x00ff00ff);
  f.set(low, i8x16.narrow_i16x8_u(v128.and(words[0], byte), v128.and(words[1], byte)));
  f.set(high, i8x16.narrow_i16x8_u(i16x8.shr_u(words[0], 8), i16x8.shr_u(words[1], 8)));
  f.free(...words);
}
