import type { Selection } from "../../../specs/sparsify.js";
import { type Func, i8x16, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { keepBestAbove, keepBestBelow } from "./best.js";
import type { ElementCode } from "./elements.js";
import { finishSort, keepGreedily, sortHalf } from "./greedy.js";
import { packCodes, packTiles } from "./pack.js";
import { SCRATCH } from "./scratch.js";

type Vector = Local<"v128">;
type Pointer = Local<"i32">;
type Four<T> = readonly [T, T, T, T];

/** Where a unit is and where its results go. Strides are in bytes. */
export interface UnitPlaces {
  readonly x: Pointer;
  readonly xStride: Pointer;
  readonly packed: Pointer;
  readonly packedStride: Pointer;
  readonly meta: Pointer;
  readonly metaStride: Pointer;
  /** 16 masks of 16 bits: written, or read where they are given. */
  readonly mask: Pointer;
  /** The staged line of the unit's first column; see `PackTargets`. */
  readonly lines: Pointer;
  readonly lineBytes: number;
  /** 64 bytes: a code for each column of the unit, first column 0 of each tile. */
  readonly codes: Pointer;
}

/** Sparsifies 4 rows of 64 columns. */
export function sparsifyUnit(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  selection: Selection,
  scratch: Pointer,
  at: UnitPlaces,
): void {
  const [tiles, masks] = [f.local("i32", scratch), f.local("i32", i32.add(scratch, SCRATCH.masks))];
  const rows = fourRows(f, at.x, at.xStride);
  const end = f.local("i32", i32.add(scratch, 1024));
  const values = f.localArray("v128", 16);
  const [upper, lower] = [values.slice(0, 8), values.slice(8)];
  const greedy = selection !== "best" && selection !== "given";
  const ranking = selection === "largest_values_greedy" ? "value" : "magnitude";
  f.doWhile(
    () => {
      readTiles(f, element, rows, tiles, (place, x) => {
        if (selection === "best") element.magnitude(f, values[place]!, x);
        else if (greedy) element.key(f, values[place]!, x, ranking);
        if (greedy && place === 7) sortHalf(f, upper, 0, tiles);
        if (greedy && place === 15) sortHalf(f, lower, 1, tiles);
        if (selection === "best" && place === 7) keepBestAbove(f, upper, scratch);
      });
      if (selection === "best") {
        const mask = f.local("v128");
        keepBestBelow(f, device, lower, scratch, mask);
        f.storeV128(masks, mask);
        f.free(mask);
      } else if (greedy) finishSort(f, device, element, ranking, tiles);
      for (const row of rows) f.increment(row, 16 * element.bytes);
      f.increment(tiles, 256);
      f.increment(masks, 16);
    },
    () => i32.lt_u(tiles, end),
  );
  f.free(...rows, ...values);
  const [low, high] = [f.local("v128"), f.local("v128")];
  finishMasks(f, device, selection, scratch, at.mask, low, high);
  const metas = fourRows(f, at.meta, at.metaStride);
  packCodes(f, device, low, high, metas, at.codes);
  f.free(low, high, ...metas);
  const packed = fourRows(f, at.packed, at.packedStride);
  const lines = f.local("i32", at.lines);
  f.set(tiles, scratch);
  f.set(masks, i32.add(scratch, SCRATCH.masks));
  f.doWhile(
    () => {
      packTiles(f, device, element, tiles, masks, { rows: packed, columns: lines, lineBytes: at.lineBytes });
      for (const row of packed) f.increment(row, 8 * element.bytes);
      f.increment(lines, 16 * at.lineBytes);
      f.increment(tiles, 256);
      f.increment(masks, 16);
    },
    () => i32.lt_u(tiles, end),
  );
  f.free(tiles, masks, end, lines, ...packed);
}

function fourRows(f: Func, first: Pointer, stride: Pointer): Four<Pointer> {
  const second = f.local("i32", i32.add(first, stride));
  const third = f.local("i32", i32.add(second, stride));
  return [f.local("i32", first), second, third, f.local("i32", i32.add(third, stride))];
}

/** Reads four tiles side by side and turns them, so that a vector holds one place of each; writes these vectors to `tiles` and visits them. */
function readTiles(
  f: Func,
  element: ElementCode,
  rows: Four<Pointer>,
  tiles: Pointer,
  visit: (place: number, x: Vector) => void,
): void {
  const ofTile = f.localArray("v128", 4);
  const pairs = f.localArray("v128", 4);
  const x = f.local("v128");
  rows.forEach((row, r) => {
    ofTile.forEach((lanes, tile) => {
      f.set(lanes, element.load(row, 4 * element.bytes * tile));
    });
    const [a, b, c, d] = ofTile as [Vector, Vector, Vector, Vector];
    f.set(pairs[0]!, v128.shuffle32(a, b, [0, 4, 1, 5]));
    f.set(pairs[1]!, v128.shuffle32(c, d, [0, 4, 1, 5]));
    f.set(pairs[2]!, v128.shuffle32(a, b, [2, 6, 3, 7]));
    f.set(pairs[3]!, v128.shuffle32(c, d, [2, 6, 3, 7]));
    for (let col = 0; col < 4; col++) {
      const [p, q] = col < 2 ? [pairs[0]!, pairs[1]!] : [pairs[2]!, pairs[3]!];
      f.set(x, v128.shuffle32(p, q, col % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]));
      f.storeV128(tiles, x, 16 * (4 * r + col));
      visit(4 * r + col, x);
    }
  });
  f.free(...ofTile, ...pairs, x);
}

/**
 * What the 16 tiles keep: 16 bits a tile to `mask` (read from there where they are given), 32 bits a tile in the scratch, and eight
 * bits a tile in `low` and `high`.
 */
function finishMasks(
  f: Func,
  device: DeviceInfo,
  selection: Selection,
  scratch: Pointer,
  mask: Pointer,
  low: Vector,
  high: Vector,
): void {
  const words = [f.local("v128"), f.local("v128")] as const;
  const greedy = selection !== "best" && selection !== "given";
  if (greedy) {
    keepGreedily(f, device, scratch, low, high);
    const interleaved = (from: number): number[] =>
      Array.from({ length: 16 }, (_, i) => from + (i >> 1) + 16 * (i & 1));
    f.set(words[0], v128.shuffle(low, high, interleaved(0)));
    f.set(words[1], v128.shuffle(low, high, interleaved(8)));
  } else {
    words.forEach((word, half) => {
      const of = (group: number) => v128.load(scratch, SCRATCH.masks + 16 * group);
      const chosen = i16x8.narrow_i32x4_u(of(2 * half), of(2 * half + 1));
      f.set(word, selection === "best" ? chosen : v128.load(mask, 16 * half));
    });
    const byte = i32x4.const(0x00ff00ff);
    f.set(low, i8x16.narrow_i16x8_u(v128.and(words[0], byte), v128.and(words[1], byte)));
    f.set(high, i8x16.narrow_i16x8_u(i16x8.shr_u(words[0], 8), i16x8.shr_u(words[1], 8)));
  }
  words.forEach((word, half) => {
    if (selection !== "given") f.storeV128(mask, word, 16 * half);
    if (selection === "best") return;
    f.storeV128(scratch, i32x4.extend_low_i16x8_u(word), SCRATCH.masks + 32 * half);
    f.storeV128(scratch, i32x4.extend_high_i16x8_u(word), SCRATCH.masks + 32 * half + 16);
  });
  f.free(...words);
}
