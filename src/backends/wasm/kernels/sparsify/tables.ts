import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import type { ElementCode } from "./elements.js";

/** Bytes from a vector of look-ups to the mask of what they take. */
export const KEPT_AT = { 4: 256, 2: 4096 } as const;

export const tableBytes = ({ bytes }: ElementCode): number => 2 * KEPT_AT[bytes];

const NOTHING = 0x80;

/** Where the two kept of four columns are. Of fewer, as `semi-structured` has it, the last column alone is the second. */
function takenPlaces(bits: number): readonly (number | null)[] {
  const columns = [0, 1, 2, 3].filter((col) => (bits >> col) & 1);
  if (columns.length === 1) return columns[0] === 3 ? [null, 3] : [columns[0]!, null];
  return columns.length === 2 ? columns : [null, null];
}

/** For the four columns from `first` of which `bits` are kept: the bytes that move the kept elements to the front, and those of what is kept. */
function ofGroup(bits: number, first: number, bytes: number): { take: number[]; kept: number[] } {
  const within = Array.from({ length: bytes }, (_, i) => i);
  const place = (at: number | null): number[] =>
    within.map((byte) => (at === null ? NOTHING : (first + at) * bytes + byte));
  return {
    take: takenPlaces(bits).flatMap(place),
    kept: [0, 1, 2, 3].flatMap((col) => within.map(() => ((bits >> col) & 1 ? 0xff : 0))),
  };
}

/**
 * Writes what moves the kept elements of a vector together, 16 bytes for each set of columns that may be kept: 16 sets for float32, of which a
 * vector is one tile's row, and 256 for the two tiles of two-byte elements. Then as many masks of what is kept.
 */
export function writeTables(f: Func, { bytes }: ElementCode, table: Local<"i32">): void {
  const before = (length: number): number[] => Array(length).fill(0);
  const after = (list: number[], fill: number): number[] => [...list, ...Array(16 - list.length).fill(fill)];
  for (let bits = 0; bits < 16; bits++) {
    const { take, kept } = ofGroup(bits, 0, bytes);
    const nothing = bytes === 4 ? [] : before(take.length);
    f.storeV128(table, v128.const(after([...take, ...nothing], NOTHING)), 16 * bits);
    f.storeV128(table, v128.const(after(kept, 0)), 16 * bits + KEPT_AT[bytes]);
  }
  if (bytes === 4) return;
  const second = (bits: number) => {
    const { take, kept } = ofGroup(bits, 4, bytes);
    return [
      [0, after([...before(take.length), ...take], 0)],
      [KEPT_AT[2], [...before(kept.length), ...kept]],
    ] as const;
  };
  const from = f.local("i32");
  for (let bits = 15; bits >= 0; bits--) {
    for (const [at, constant] of second(bits)) {
      const far = f.local("v128", v128.const(constant));
      f.for(0, 256, 16, (set) => {
        f.set(from, i32.add(table, set));
        f.storeV128(from, v128.or(v128.load(from, at), far), at + 256 * bits);
      });
      f.free(far);
    }
  }
  f.free(from);
}
