import type { SparsifyType } from "../../../specs/sparsify.js";
import { type Func, f32x4, type I32, i16x8, i32x4, type Local, type V128, v128 } from "../../asm/index.js";

/** How the elements of a tile are compared: as they are, or by magnitude. */
export type Ranking = "value" | "magnitude";

type Vector = Local<"v128">;

/** Elements of a dtype, four to a vector, the bits of each in the low end of a 32-bit lane. */
export interface ElementCode {
  readonly bytes: 2 | 4;
  load(pointer: I32, offset: number): V128;
  /**
   * Sets `to` to integers that rise with the elements, as far as their upper 28 bits say: the low four are 0, room for an element's place. Equal
   * elements have equal integers; NaNs are outside `keyRange`. Dtypes of two bytes leave nothing out. `to` may be `x`.
   */
  key(f: Func, to: Vector, x: Vector, by: Ranking): void;
  keyRange(by: Ranking): readonly [lowest: number, highest: number];
  /**
   * Integers of a vector of 16 bytes that rise with the elements, near enough for differences of neighbours (16 bits saturate; 32 bits leave out the lowest
   * where signs count). Raises `greatest` to their magnitudes.
   */
  ordered(f: Func, x: V128, by: Ranking, greatest: Vector): Vector;
  /** Not 0 where a magnitude is that of a NaN. */
  isNaN(magnitudes: Vector): V128;
  /** Sets `to` to floats that compare exactly as the elements do, NaN included. */
  rank(f: Func, to: Vector, x: Vector, by: Ranking): void;
  /** Sets `to` to float32 magnitudes; those above 2^124, infinities and NaNs are 2^124. */
  magnitude(f: Func, to: Vector, x: Vector): void;
}

const HIGHEST = 0x7f80000f;
const MAGNITUDE = i32x4.const(0x7fffffff);
const LARGEST = i32x4.const(0x7d800000);

const float32: ElementCode = {
  bytes: 4,
  load: v128.load,
  key(f, to, x, by) {
    if (by === "magnitude") {
      f.set(to, v128.and(x, i32x4.const(0x7ffffff0)));
      return;
    }
    f.set(to, f32x4.add(x, f32x4.const(0))); // -0 to +0
    f.set(to, v128.and(v128.xor(to, i32x4.shr_u(i32x4.shr_s(to, 31), 1)), i32x4.const(~15)));
  },
  keyRange: (by) => (by === "magnitude" ? [0, HIGHEST] : [0x807ffff0 | 0, HIGHEST]),
  ordered(f, x, by, greatest) {
    const key = f.local("v128", x);
    if (by === "magnitude") {
      f.set(key, v128.and(key, MAGNITUDE));
      f.set(greatest, i32x4.max_s(greatest, key));
    } else {
      f.set(greatest, i32x4.max_s(greatest, v128.and(key, MAGNITUDE)));
      f.set(key, f32x4.add(key, f32x4.const(0))); // -0 to +0
      f.set(key, i32x4.shr_s(v128.xor(key, i32x4.shr_u(i32x4.shr_s(key, 31), 1)), 1));
    }
    return key;
  },
  isNaN: (magnitudes) => i32x4.gt_s(magnitudes, i32x4.const(0x7f800000)),
  rank: (f, to, x, by) => f.set(to, by === "magnitude" ? v128.and(x, MAGNITUDE) : x),
  magnitude: (f, to, x) => f.set(to, i32x4.min_s(v128.and(x, MAGNITUDE), LARGEST)),
};

/** `ordered` and `isNaN` of two bytes, sign and magnitude. */
const twoBytes = (infinity: number): Pick<ElementCode, "ordered" | "isNaN"> => ({
  ordered(f, x, by, greatest) {
    const key = f.local("v128", x);
    const magnitude = f.local("v128", v128.and(key, i32x4.const(0x7fff7fff)));
    f.set(greatest, i16x8.max_s(greatest, magnitude));
    if (by === "magnitude") f.set(key, magnitude);
    else {
      f.set(key, i16x8.shr_s(key, 15));
      f.set(key, i16x8.sub(v128.xor(magnitude, key), key));
    }
    f.free(magnitude);
    return key;
  },
  isNaN: (magnitudes) => i16x8.gt_s(magnitudes, i32x4.const(infinity | (infinity << 16))),
});

const HALF_INFINITY = 0x7c00;

/** The upper half of a float32. */
const bfloat16: ElementCode = {
  bytes: 2,
  ...twoBytes(0x7f80),
  load: v128.load16x4_u,
  key(f, to, x, by) {
    f.set(to, i32x4.shl(x, 16));
    float32.key(f, to, to, by);
  },
  keyRange: float32.keyRange,
  rank: (f, to, x, by) => f.set(to, i32x4.shl(by === "magnitude" ? v128.and(x, i32x4.const(0x7fff)) : x, 16)),
  magnitude(f, to, x) {
    f.set(to, i32x4.shl(x, 16));
    float32.magnitude(f, to, to);
  },
};

const float16: ElementCode = {
  bytes: 2,
  ...twoBytes(HALF_INFINITY),
  load: v128.load16x4_u,
  key(f, to, x, by) {
    const magnitude = v128.and(x, i32x4.const(0x7fff));
    if (by === "magnitude") {
      f.set(to, i32x4.shl(magnitude, 4));
      return;
    }
    const sign = i32x4.shr_s(i32x4.shl(x, 16), 31);
    f.set(to, i32x4.shl(i32x4.sub(v128.xor(magnitude, sign), sign), 4));
  },
  keyRange: (by) => [by === "magnitude" ? 0 : -HALF_INFINITY * 16, HALF_INFINITY * 16 + 15],
  rank(f, to, x, by) {
    const magnitude = v128.and(x, i32x4.const(0x7fff));
    const nan = i32x4.gt_s(magnitude, i32x4.const(HALF_INFINITY));
    const ordered = v128.or(f32x4.convert_i32x4_s(magnitude), nan);
    const sign = i32x4.shl(v128.and(x, i32x4.const(0x8000)), 16);
    f.set(to, by === "magnitude" ? ordered : v128.or(ordered, sign));
  },
  magnitude(f, to, x) {
    const magnitude = v128.and(x, i32x4.const(0x7fff));
    const wide = f32x4.mul(i32x4.shl(magnitude, 13), f32x4.const(2 ** 112)); // the exponent's bias: 15 to 127
    f.set(to, v128.bitselect(wide, LARGEST, i32x4.lt_s(magnitude, i32x4.const(HALF_INFINITY))));
  },
};

export const ELEMENTS: Readonly<Record<SparsifyType, ElementCode>> = { float32, float16, bfloat16 };
