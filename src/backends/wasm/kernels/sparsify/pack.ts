import { type Func, type I32, i8x16, i16x8, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import type { ElementCode } from "./elements.js";
import { lookUpBytes, selectLanes } from "./relaxed.js";

type Vector = Local<"v128">;
type Four<T> = readonly [T, T, T, T];

/** The code of a group that keeps the columns `bits`: idx0 | idx1 << 2, two columns at most, as layout `semi-structured` completes them. */
const CODES = v128.const([0xe, 0x8, 0x9, 0x4, 0xe, 0x8, 0x9, 0, 0xe, 0xc, 0xd, 0, 0xe, 0, 0, 0]);

/** Where the kept elements of four tiles side by side go. */
export interface PackTargets {
  /** The four rows of packed. */
  readonly rows: Four<Local<"i32">>;
  /** The staged line of the first column; a line for each column, `lineBytes` long. */
  readonly columns: Local<"i32">;
  readonly lineBytes: number;
}

/**
 * Writes what four tiles keep: of each row its two values, of each column its two values. `tiles` points at the 16 elements and gets zeros where
 * nothing is kept, so that few of them need registers at a time; `masks` at 16 bits for each lane.
 */
export function packTiles(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  tiles: Local<"i32">,
  masks: I32,
  to: PackTargets,
): void {
  const select = selectLanes(device);
  const mask = f.local("v128", v128.load(masks));
  const [first, second] = [f.local("v128"), f.local("v128")];
  const [keep, kept] = [f.localArray("v128", 4), f.localArray("v128", 4)];
  const readKeep = (i: number, place: number): void => f.set(keep[i]!, i32x4.shr_s(i32x4.shl(mask, 31 - place), 31));
  /** The first and the second kept value of each of four lines. */
  const slots = (): void => {
    const [a, b, c, d] = kept as [Vector, Vector, Vector, Vector];
    const [keepA, keepB] = keep as [Vector, Vector];
    f.set(first, select(a, select(b, c, keepB), keepA));
    f.set(second, v128.or(d, v128.or(v128.and(c, v128.or(keepA, keepB)), v128.and(b, keepA))));
  };
  for (let row = 0; row < 4; row++) {
    for (let col = 0; col < 4; col++) {
      const place = 4 * row + col;
      readKeep(col, place);
      f.set(kept[col]!, v128.and(v128.load(tiles, 16 * place), keep[col]!));
      f.storeV128(tiles, kept[col]!, 16 * place);
    }
    slots();
    if (element.bytes === 4) {
      f.storeV128(to.rows[row]!, v128.shuffle32(first, second, [0, 4, 1, 5]));
      f.storeV128(to.rows[row]!, v128.shuffle32(first, second, [2, 6, 3, 7]), 16);
    } else f.storeV128(to.rows[row]!, v128.or(first, i32x4.shl(second, 16)));
  }
  for (let col = 0; col < 4; col++) {
    for (let row = 0; row < 4; row++) {
      if (row < 2) readKeep(row, 4 * row + col);
      f.set(kept[row]!, v128.load(tiles, 16 * (4 * row + col)));
    }
    slots();
    const line = (tile: number): number => (4 * tile + col) * to.lineBytes;
    if (element.bytes === 4) {
      const pairs = f.local("v128", v128.shuffle32(first, second, [0, 4, 1, 5]));
      f.store64Lane(to.columns, pairs, 0, line(0));
      f.store64Lane(to.columns, pairs, 1, line(1));
      f.set(pairs, v128.shuffle32(first, second, [2, 6, 3, 7]));
      f.store64Lane(to.columns, pairs, 0, line(2));
      f.store64Lane(to.columns, pairs, 1, line(3));
      f.free(pairs);
    } else {
      f.set(first, v128.or(first, i32x4.shl(second, 16)));
      for (let tile = 0; tile < 4; tile++) f.store32Lane(to.columns, first, tile, line(tile));
    }
  }
  f.free(mask, first, second, ...keep, ...kept);
}

/**
 * Writes the codes of 16 tiles side by side, of which `low` and `high` are what they keep: for the four rows eight bytes each, two codes to a
 * byte; for each column of the tiles 16 bytes, a code each, to `columns`.
 */
export function packCodes(
  f: Func,
  device: DeviceInfo,
  low: Vector,
  high: Vector,
  rows: Four<Local<"i32">>,
  columns: I32,
): void {
  const lookUp = lookUpBytes(device);
  const nibble = i32x4.const(0x0f0f0f0f);
  const [even, odd, word] = f.localArray("v128", 3) as [Vector, Vector, Vector];
  [low, high].forEach((half, i) => {
    f.set(even, lookUp(CODES, v128.and(half, nibble)));
    f.set(odd, lookUp(CODES, v128.and(i16x8.shr_u(half, 4), nibble)));
    for (const codes of [even, odd]) {
      f.set(codes, v128.and(v128.or(codes, i16x8.shr_u(codes, 4)), i32x4.const(0x00ff00ff)));
    }
    f.set(word, i8x16.narrow_i16x8_u(even, odd));
    f.store64Lane(rows[2 * i]!, word, 0);
    f.store64Lane(rows[2 * i + 1]!, word, 1);
  });
  const ends = i32x4.const(0x11111111);
  for (let col = 0; col < 4; col++) {
    // Rows 0 to 3 of the column are bits 0, 4, 2 and 6, then bits 0 to 3.
    f.set(word, v128.and(i16x8.shr_u(low, col), ends));
    f.set(word, v128.or(word, i16x8.shl(v128.and(i16x8.shr_u(high, col), ends), 2)));
    f.set(word, v128.and(v128.or(word, i16x8.shr_u(word, 3)), nibble));
    f.storeV128(columns, lookUp(CODES, word), 16 * col);
  }
  f.free(even, odd, word);
}
