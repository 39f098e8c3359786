import type { SparsifyType } from "../../../specs/sparsify.js";
import { type Func, f32x4, type I32, i32x4, type Local, type V128, v128 } from "../../asm/index.js";

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
  rank: (f, to, x, by) => f.set(to, by === "magnitude" ? v128.and(x, MAGNITUDE) : x),
  magnitude: (f, to, x) => f.set(to, i32x4.min_s(v128.and(x, MAGNITUDE), LARGEST)),
};

/** The upper half of a float32. */
const bfloat16: ElementCode = {
  bytes: 2,
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

const HALF_INFINITY = 0x7c00;

const float16: ElementCode = {
  bytes: 2,
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
