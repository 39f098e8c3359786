import type { LaneType } from "../../../specs/elementwise/lanes.js";
import {
  type Func,
  f32,
  f32x4,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  i64x2,
  type Local,
  type V128,
  v128,
} from "../../asm/index.js";

/**
 * Four elements as they are held in registers: float32 and int32 in one vector, int64 in two, bool as a mask of 32-bit lanes.
 */
export type Lanes = readonly V128[];

export const partsOf = (dtype: LaneType): number => (dtype === "int64" ? 2 : 1);

const ZERO = i32x4.const(0);

/** Four consecutive elements. May read up to 15 bytes beyond them. */
export function loadLanes(dtype: LaneType, pointer: Local<"i32">, offset: number): V128[] {
  if (dtype === "int64") return [v128.load(pointer, offset), v128.load(pointer, offset + 16)];
  if (dtype !== "bool") return [v128.load(pointer, offset)];
  const words = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(pointer, offset)));
  return [i32x4.ne(words, ZERO)];
}

/** One element, four times. */
export function splatLanes(dtype: LaneType, pointer: Local<"i32">): V128[] {
  if (dtype === "int64") return [v128.load64_splat(pointer), v128.load64_splat(pointer)];
  if (dtype === "bool") return [i32x4.ne(i32x4.splat(i32.load8_u(pointer)), ZERO)];
  return [v128.load32_splat(pointer)];
}

/** A mask's four lanes as bytes 0 or 1 of an i32. */
function maskBytes(mask: V128) {
  const words = i16x8.narrow_i32x4_s(mask, ZERO);
  return i32.and(i32x4.extract_lane(i8x16.narrow_i16x8_s(words, ZERO), 0), 0x01010101);
}

export function storeLanes(f: Func, dtype: LaneType, pointer: Local<"i32">, lanes: Lanes, offset: number): void {
  if (dtype === "bool") f.storeI32(pointer, maskBytes(lanes[0]!), offset);
  else
    lanes.forEach((part, i) => {
      f.storeV128(pointer, part, offset + 16 * i);
    });
}

/** Stores the first `count` (1 to 3) of four elements, and nothing beyond; moves the pointer. */
export function storeSome(
  f: Func,
  dtype: LaneType,
  pointer: Local<"i32">,
  lanes: readonly Local<"v128">[],
  count: Local<"i32">,
): void {
  const [low, high] = lanes as [Local<"v128">, Local<"v128">];
  const pair = i32.and(count, 2);
  const single = i32.and(count, 1);
  if (dtype === "bool") {
    const bytes = f.local("i32", maskBytes(low));
    f.if(pair, () => {
      f.storeI32_16(pointer, bytes);
      f.increment(pointer, 2);
      f.set(bytes, i32.shr_u(bytes, 16));
    });
    f.if(single, () => f.storeI32_8(pointer, bytes));
    f.free(bytes);
  } else if (dtype === "int64") {
    f.if(pair, () => {
      f.storeV128(pointer, low);
      f.increment(pointer, 16);
      f.set(low, high);
    });
    f.if(single, () => f.store64Lane(pointer, low, 0));
  } else {
    f.if(pair, () => {
      f.store64Lane(pointer, low, 0);
      f.increment(pointer, 8);
      f.set(low, v128.shuffle32(low, low, [2, 3, 2, 3]));
    });
    f.if(single, () => f.store32Lane(pointer, low, 0));
  }
}

/** A mask of two 64-bit halves as one of four 32-bit lanes. */
export const narrowMask = (low: V128, high: V128): V128 => v128.shuffle32(low, high, [0, 2, 4, 6]);

/** A mask of four 32-bit lanes as two of 64-bit lanes. */
export const widenMask = (mask: Local<"v128">): V128[] => [
  v128.shuffle32(mask, mask, [0, 0, 1, 1]),
  v128.shuffle32(mask, mask, [2, 2, 3, 3]),
];

/** Elements converted to another type as ONNX's Cast does it; floats out of an integer's range saturate, NaN gives 0. */
export function castLanes(from: LaneType, to: LaneType, lanes: readonly Local<"v128">[]): V128[] {
  const [x, y] = lanes as [Local<"v128">, Local<"v128">];
  if (to === "bool") {
    if (from === "float32") return [f32x4.ne(x, f32x4.const(0))];
    if (from === "int32") return [i32x4.ne(x, ZERO)];
    return [v128.not(narrowMask(i64x2.eq(x, ZERO), i64x2.eq(y, ZERO)))];
  }
  if (from === "bool") {
    const one = v128.and(x, i32x4.const(1));
    if (to === "int32") return [one];
    if (to === "float32") return [f32x4.convert_i32x4_s(one)];
    return widenMask(x).map((part) => v128.and(part, i64x2.splat(i64.const(1n))));
  }
  if (from === "int32") {
    if (to === "float32") return [f32x4.convert_i32x4_s(x)];
    return [i64x2.extend_low_i32x4_s(x), i64x2.extend_high_i32x4_s(x)];
  }
  if (from === "float32") {
    if (to === "int32") return [i32x4.trunc_sat_f32x4_s(x)];
    const lane = (i: number) => i64.trunc_sat_f32_s(f32x4.extract_lane(x, i));
    return [pairOf(lane(0), lane(1)), pairOf(lane(2), lane(3))];
  }
  if (to === "int32") return [v128.shuffle32(x, y, [0, 2, 4, 6])];
  const lane = (part: V128, i: number) => f32.convert_i64_s(i64x2.extract_lane(part, i));
  const first = f32x4.splat(lane(x, 0));
  const two = f32x4.replace_lane(first, 1, lane(x, 1));
  return [f32x4.replace_lane(f32x4.replace_lane(two, 2, lane(y, 0)), 3, lane(y, 1))];
}

const pairOf = (low: Parameters<typeof i64x2.splat>[0], high: Parameters<typeof i64x2.splat>[0]): V128 =>
  v128.shuffle32(i64x2.splat(low), i64x2.splat(high), [0, 1, 4, 5]);
