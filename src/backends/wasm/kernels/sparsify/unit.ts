import type { Selection } from "../../../specs/sparsify.js";
import { type Func, i8x16, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { chooseBest, chooseGreedily } from "./choose.js";
import type { ElementCode } from "./elements.js";
import { packCodes, packUnit } from "./pack.js";

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
  readonly table: Pointer;
}

/** Sparsifies 4 rows of 64 columns. Codes are not written for a mask that is given. */
export function sparsifyUnit(
  f: Func,
  device: DeviceInfo,
  element: ElementCode,
  selection: Selection,
  scratch: Pointer,
  at: UnitPlaces,
): void {
  const [low, high] = [f.local("v128"), f.local("v128")];
  const x = fourRows(f, at.x, at.xStride);
  if (selection === "given") readMasks(f, at.mask, low, high);
  else {
    if (selection === "best") chooseBest(f, device, element, x, scratch, low, high);
    else {
      const by = selection === "largest_values_greedy" ? "value" : "magnitude";
      chooseGreedily(f, device, element, by, x, scratch, low, high);
    }
    writeMasks(f, at.mask, low, high);
    const metas = fourRows(f, at.meta, at.metaStride);
    packCodes(f, device, low, high, metas, at.codes);
    f.free(...metas);
  }
  const rows = fourRows(f, at.packed, at.packedStride);
  const columns = f.local("i32", at.lines);
  const { lineBytes, table } = at;
  packUnit(f, device, element, low, high, scratch, { x, rows, columns, lineBytes, table });
  f.free(...x, ...rows, columns, low, high);
}

function fourRows(f: Func, first: Pointer, stride: Pointer): Four<Pointer> {
  const second = f.local("i32", i32.add(first, stride));
  const third = f.local("i32", i32.add(second, stride));
  return [f.local("i32", first), second, third, f.local("i32", i32.add(third, stride))];
}

function readMasks(f: Func, mask: Pointer, low: Vector, high: Vector): void {
  const words = [f.local("v128", v128.load(mask)), f.local("v128", v128.load(mask, 16))] as const;
  const byte = i32x4.const(0x00ff00ff);
  f.set(low, i8x16.narrow_i16x8_u(v128.and(words[0], byte), v128.and(words[1], byte)));
  f.set(high, i8x16.narrow_i16x8_u(i16x8.shr_u(words[0], 8), i16x8.shr_u(words[1], 8)));
  f.free(...words);
}

function writeMasks(f: Func, mask: Pointer, low: Vector, high: Vector): void {
  for (const half of [0, 1]) {
    const interleaved = Array.from({ length: 16 }, (_, i) => 8 * half + (i >> 1) + 16 * (i & 1));
    f.storeV128(mask, v128.shuffle(low, high, interleaved), 16 * half);
  }
}
