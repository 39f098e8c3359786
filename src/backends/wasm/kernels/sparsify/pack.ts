import { type Func, type I32, i8x16, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import type { ElementCode } from "./elements.js";
import { lookUpBytes, selectLanes } from "./relaxed.js";
import { SCRATCH } from "./scratch.js";
import { KEPT_AT } from "./tables.js";

type Vector = Local<"v128">;
type Pointer = Local<"i32">;
type Four<T> = readonly [T, T, T, T];

/** Where the elements of 16 tiles side by side are, and where those that are kept go. */
export interface PackTargets {
  /** The four rows of x. */
  readonly x: Four<Pointer>;
  /** The four rows of packed. */
  readonly rows: Four<Pointer>;
  /** The staged line of the first column; a line for each column, `lineBytes` long. */
  readonly columns: Pointer;
  readonly lineBytes: number;
  /** See `writeTables`. */
  readonly table: Pointer;
}

/**
 * Writes what 16 tiles keep: of each row its two values, of each column its two values. Eight bits of a tile are a byte of `low`, eight of
 * `high`. A row's values are moved by one look-up of bytes; a column's are selected from the rows, all columns of a vector at once. Moves the pointers
 * of `to` on.
 */
export function packUnit(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  low: Vector,
  high: Vector,
  scratch: Pointer,
  to: PackTargets,
): void {
  writePlaces(f, element, low, high, scratch);
  const tiles = 4 / element.bytes;
  const placeBytes = tiles;
  const place = f.local("i32", i32.add(scratch, SCRATCH.places));
  const end = f.local("i32", i32.add(scratch, SCRATCH.places + 16));
  f.doWhile(
    () => {
      const unroll = 2;
      for (let i = 0; i < unroll; i++) packVector(f, device, element, place, to, i);
      f.increment(place, unroll * placeBytes);
      for (const row of to.x) f.increment(row, 16 * unroll);
      for (const row of to.rows) f.increment(row, 8 * unroll);
      f.increment(to.columns, unroll * tiles * 4 * to.lineBytes);
    },
    () => i32.lt_u(place, end),
  );
  f.free(place, end);
}

/** Bytes of a table's index for each row and vector: of a tile's row 4 bits, or of two tiles' rows 8. */
function writePlaces(f: Func, element: ElementCode, low: Vector, high: Vector, scratch: Pointer): void {
  const place = f.local("v128");
  [low, high].forEach((half, i) => {
    for (const odd of [0, 1]) {
      if (element.bytes === 4) {
        f.set(place, odd === 0 ? i16x8.shl(half, 4) : half);
        f.set(place, v128.and(place, i32x4.const(0xf0f0f0f0)));
      } else {
        // Words of two tiles: bits 0 to 3 and 8 to 11 are the first of two rows.
        const near = v128.and(odd === 0 ? i16x8.shl(half, 4) : half, i32x4.const(0x00f000f0));
        const far = v128.and(odd === 0 ? half : i16x8.shr_u(half, 4), i32x4.const(0x0f000f00));
        f.set(place, v128.or(near, far));
      }
      f.storeV128(scratch, place, SCRATCH.places + 16 * (2 * i + odd));
    }
  });
  f.free(place);
}

/** Packs the vector `i` of 16 bytes a row: a tile of float32, or two of two bytes. */
function packVector(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  place: Pointer,
  to: PackTargets,
  i: number,
): void {
  const lookUp = lookUpBytes(device);
  const index = element.bytes === 4 ? i32.load8_u : i32.load16_u;
  const entry = f.local("i32");
  const [x, keep] = [f.localArray("v128", 4), f.localArray("v128", 2)];
  for (let row = 0; row < 4; row++) {
    f.set(entry, i32.add(to.table, index(place, 16 * row + (4 / element.bytes) * i)));
    f.set(x[row]!, v128.load(to.x[row]!, 16 * i));
    f.store64Lane(to.rows[row]!, lookUp(x[row]!, v128.load(entry)), 0, 8 * i);
    const kept = v128.load(entry, KEPT_AT[element.bytes]);
    if (row < 2) f.set(keep[row]!, kept);
    f.set(x[row]!, v128.and(x[row]!, row < 2 ? keep[row]! : kept));
  }
  const [a, b, c, d] = x as [Vector, Vector, Vector, Vector];
  const [first, second] = [f.local("v128"), f.local("v128")];
  if (device.relaxed) {
    const select = selectLanes(device, element.bytes);
    f.set(first, select(b, c, keep[1]!));
    f.set(first, select(a, first, keep[0]!));
  } else {
    f.set(first, v128.or(b, v128.andnot(c, keep[1]!)));
    f.set(first, v128.or(a, v128.andnot(first, keep[0]!)));
  }
  // Of what is kept, that which is not the first.
  f.set(second, v128.xor(v128.xor(v128.xor(a, b), v128.xor(c, d)), first));
  storeColumns(f, element, first, second, to, i);
  f.free(entry, ...x, ...keep, first, second);
}

function storeColumns(f: Func, element: ElementCode, first: Vector, second: Vector, to: PackTargets, i: number): void {
  const pairs = f.local("v128");
  const line = (col: number): number => ((16 / element.bytes) * i + col) * to.lineBytes;
  for (const half of [0, 1]) {
    if (element.bytes === 4) {
      f.set(pairs, v128.shuffle32(first, second, half === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7]));
      for (const lane of [0, 1]) f.store64Lane(to.columns, pairs, lane, line(2 * half + lane));
    } else {
      f.set(pairs, v128.shuffle(first, second, interleavedWords(8 * half)));
      for (let lane = 0; lane < 4; lane++) f.store32Lane(to.columns, pairs, lane, line(4 * half + lane));
    }
  }
  f.free(pairs);
}

const interleavedWords = (from: number): number[] =>
  Array.from({ length: 16 }, (_, i) => from + 2 * (i >> 2) + (i & 1) + 8 * (i & 2));

/** The code of a group that keeps the columns `bits`: idx0 | idx1 << 2, two columns at most, as layout `semi-structured` completes them. */
const CODES = v128.const([0xe, 0x8, 0x9, 0x4, 0xe, 0x8, 0x9, 0, 0xe, 0xc, 0xd, 0, 0xe, 0, 0, 0]);
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
