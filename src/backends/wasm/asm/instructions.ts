import {
  apply,
  atomic,
  binary,
  type Expr,
  type F32,
  type F64,
  type I32,
  type I64,
  lift,
  memarg,
  simd,
  unary,
  type V128,
} from "./expression.js";

/**
 * WebAssembly's instructions as functions on expressions, by their names in the specification: `f32x4.mul(a, b)`,
 * `v128.load(pointer, offset)`. Loads take the address and a constant byte offset.
 */

const load =
  <R extends "i32" | "i64" | "f32" | "f64" | "v128">(result: R, op: readonly number[], align: number) =>
  (pointer: I32, offset = 0): Expr<R> =>
    apply(result, [lift("i32", pointer)], [...op, ...memarg(align, offset)]);

const i32Binary = (op: number) => binary("i32", "i32", "i32", [op]);
const i64Binary = (op: number) => binary("i64", "i64", "i64", [op]);
const i64Compare = (op: number) => binary("i64", "i64", "i32", [op]);
const f32Binary = (op: number) => binary("f32", "f32", "f32", [op]);
const f32Compare = (op: number) => binary("f32", "f32", "i32", [op]);
const f32Unary = (op: number) => unary("f32", "f32", [op]);
const f64Binary = (op: number) => binary("f64", "f64", "f64", [op]);
const vv = (op: number) => binary("v128", "v128", "v128", simd(op));
const v = (op: number) => unary("v128", "v128", simd(op));
const shift = (op: number) => binary("v128", "i32", "v128", simd(op));

export const i32 = {
  const: (value: number) => lift("i32", value),
  load: load("i32", [0x28], 2),
  load8_s: load("i32", [0x2c], 0),
  load8_u: load("i32", [0x2d], 0),
  load16_s: load("i32", [0x2e], 1),
  load16_u: load("i32", [0x2f], 1),
  eqz: unary("i32", "i32", [0x45]),
  eq: i32Binary(0x46),
  ne: i32Binary(0x47),
  lt_s: i32Binary(0x48),
  lt_u: i32Binary(0x49),
  gt_s: i32Binary(0x4a),
  gt_u: i32Binary(0x4b),
  le_s: i32Binary(0x4c),
  le_u: i32Binary(0x4d),
  ge_s: i32Binary(0x4e),
  ge_u: i32Binary(0x4f),
  ctz: unary("i32", "i32", [0x68]),
  popcnt: unary("i32", "i32", [0x69]),
  add: i32Binary(0x6a),
  sub: i32Binary(0x6b),
  mul: i32Binary(0x6c),
  div_s: i32Binary(0x6d),
  div_u: i32Binary(0x6e),
  rem_s: i32Binary(0x6f),
  rem_u: i32Binary(0x70),
  and: i32Binary(0x71),
  or: i32Binary(0x72),
  xor: i32Binary(0x73),
  shl: i32Binary(0x74),
  shr_s: i32Binary(0x75),
  shr_u: i32Binary(0x76),
  /** Atomics on 4-byte aligned addresses; each returns the value before. */
  atomic_load: load("i32", atomic(0x10), 2),
  atomic_add: (pointer: I32, value: I32, offset = 0) =>
    apply("i32", [lift("i32", pointer), lift("i32", value)], [...atomic(0x1e), ...memarg(2, offset)]),
  atomic_cmpxchg: (pointer: I32, expected: I32, value: I32, offset = 0) =>
    apply(
      "i32",
      [lift("i32", pointer), lift("i32", expected), lift("i32", value)],
      [...atomic(0x48), ...memarg(2, offset)],
    ),
  /** Sleeps while the word is `expected`, at most `nanoseconds`; shared memories only, never on a page's main thread. */
  atomic_wait: (pointer: I32, expected: I32, nanoseconds: I64, offset = 0) =>
    apply(
      "i32",
      [lift("i32", pointer), lift("i32", expected), lift("i64", nanoseconds)],
      [...atomic(0x01), ...memarg(2, offset)],
    ),
  /** Wakes up to `count` sleepers; how many there were. */
  atomic_notify: (pointer: I32, count: I32, offset = 0) =>
    apply("i32", [lift("i32", pointer), lift("i32", count)], [...atomic(0x00), ...memarg(2, offset)]),
  wrap_i64: unary("i64", "i32", [0xa7]),
  trunc_sat_f32_s: unary("f32", "i32", [0xfc, 0]),
  trunc_sat_f32_u: unary("f32", "i32", [0xfc, 1]),
  reinterpret_f32: unary("f32", "i32", [0xbc]),
  /** `a` where `condition` is not 0, else `b`. Both are evaluated. */
  select: (condition: I32, a: I32, b: I32) =>
    apply("i32", [lift("i32", a), lift("i32", b), lift("i32", condition)], [0x1b]),
  /** Signed minimum. The operands are evaluated twice: pass locals or constants. */
  min_s: (a: I32, b: I32) => i32.select(i32.lt_s(a, b), a, b),
  /** Signed maximum. The operands are evaluated twice: pass locals or constants. */
  max_s: (a: I32, b: I32) => i32.select(i32.gt_s(a, b), a, b),
};

export const i64 = {
  const: (value: bigint) => lift("i64", value),
  load: load("i64", [0x29], 3),
  eqz: unary("i64", "i32", [0x50]),
  eq: i64Compare(0x51),
  ne: i64Compare(0x52),
  lt_s: i64Compare(0x53),
  lt_u: i64Compare(0x54),
  gt_s: i64Compare(0x55),
  gt_u: i64Compare(0x56),
  le_s: i64Compare(0x57),
  ge_s: i64Compare(0x59),
  ctz: unary("i64", "i64", [0x7a]),
  popcnt: unary("i64", "i64", [0x7b]),
  add: i64Binary(0x7c),
  sub: i64Binary(0x7d),
  mul: i64Binary(0x7e),
  and: i64Binary(0x83),
  or: i64Binary(0x84),
  xor: i64Binary(0x85),
  shl: i64Binary(0x86),
  shr_s: i64Binary(0x87),
  shr_u: i64Binary(0x88),
  extend_i32_s: unary("i32", "i64", [0xac]),
  extend_i32_u: unary("i32", "i64", [0xad]),
  trunc_sat_f32_s: unary("f32", "i64", [0xfc, 4]),
};

export const f32 = {
  const: (value: number) => lift("f32", value),
  load: load("f32", [0x2a], 2),
  eq: f32Compare(0x5b),
  ne: f32Compare(0x5c),
  lt: f32Compare(0x5d),
  gt: f32Compare(0x5e),
  le: f32Compare(0x5f),
  ge: f32Compare(0x60),
  abs: f32Unary(0x8b),
  neg: f32Unary(0x8c),
  ceil: f32Unary(0x8d),
  floor: f32Unary(0x8e),
  trunc: f32Unary(0x8f),
  nearest: f32Unary(0x90),
  sqrt: f32Unary(0x91),
  add: f32Binary(0x92),
  sub: f32Binary(0x93),
  mul: f32Binary(0x94),
  div: f32Binary(0x95),
  min: f32Binary(0x96),
  max: f32Binary(0x97),
  copysign: f32Binary(0x98),
  convert_i32_s: unary("i32", "f32", [0xb2]),
  convert_i32_u: unary("i32", "f32", [0xb3]),
  convert_i64_s: unary("i64", "f32", [0xb4]),
  demote_f64: unary("f64", "f32", [0xb6]),
  reinterpret_i32: unary("i32", "f32", [0xbe]),
  select: (condition: I32, a: F32, b: F32) =>
    apply("f32", [lift("f32", a), lift("f32", b), lift("i32", condition)], [0x1b]),
};

export const f64 = {
  const: (value: number) => lift("f64", value),
  load: load("f64", [0x2b], 3),
  add: f64Binary(0xa0),
  sub: f64Binary(0xa1),
  mul: f64Binary(0xa2),
  div: f64Binary(0xa3),
  promote_f32: unary("f32", "f64", [0xbb]),
};

/** Two double lanes; the "low" conversions read or write the low two of four 32-bit lanes. */
export const f64x2 = {
  splat: unary("f64", "v128", simd(20)),
  const: (value: number) => {
    const bytes = [...new Uint8Array(Float64Array.of(value).buffer)];
    return v128.const([...bytes, ...bytes]);
  },
  extract_lane: (x: V128, lane: number) => apply("f64", [x], [...simd(33), lane]),
  nearest: v(148),
  add: vv(240),
  sub: vv(241),
  mul: vv(242),
  div: vv(243),
  pmin: vv(246),
  pmax: vv(247),
  promote_low_f32x4: v(95),
  /** The two doubles as floats in the low lanes, zeros above. */
  demote_zero_f32x4: v(94),
  convert_low_i32x4_s: v(254),
  /** The two doubles as i32 in the low lanes, zeros above. */
  trunc_sat_zero_i32x4_s: v(252),
};

const extract = (op: number) => (x: V128, lane: number) => apply("i32", [x], [...simd(op), lane]);

export const v128 = {
  load: load("v128", simd(0), 4),
  load32_splat: load("v128", simd(9), 2),
  load8_splat: load("v128", simd(7), 0),
  load16_splat: load("v128", simd(8), 1),
  load64_splat: load("v128", simd(10), 3),
  load32_zero: load("v128", simd(92), 2),
  load64_zero: load("v128", simd(93), 3),
  load8x8_s: load("v128", simd(1), 3),
  load8x8_u: load("v128", simd(2), 3),
  load16x4_s: load("v128", simd(3), 3),
  load16x4_u: load("v128", simd(4), 3),
  /** `x` with one 32-bit lane read from memory. */
  load32_lane: (pointer: I32, x: V128, lane: number, offset = 0) =>
    apply("v128", [lift("i32", pointer), x], [...simd(86), ...memarg(2, offset), lane]),
  const: (bytes: readonly number[]) => apply("v128", [], [...simd(12), ...bytes]),
  /** The bytes of `a` (0 to 15) and `b` (16 to 31) that `lanes` names. */
  shuffle: (a: V128, b: V128, lanes: readonly number[]) => apply("v128", [a, b], [...simd(13), ...lanes]),
  /** 32-bit lanes of `a` (0 to 3) and `b` (4 to 7). */
  shuffle32: (a: V128, b: V128, lanes: readonly [number, number, number, number]) =>
    v128.shuffle(
      a,
      b,
      lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)),
    ),
  not: v(77),
  and: vv(78),
  andnot: vv(79),
  or: vv(80),
  xor: vv(81),
  /** Bits of `a` where `mask` is 1, of `b` where it is 0. */
  bitselect: (a: V128, b: V128, mask: V128) => apply("v128", [a, b, mask], simd(82)),
  any_true: unary("v128", "i32", simd(83)),
  /** `bitselect` for masks of whole 32-bit lanes (relaxed SIMD); one instruction. */
  relaxed_laneselect_i32x4: (a: V128, b: V128, mask: V128) => apply("v128", [a, b, mask], simd(0x10b)),
  /** `bitselect` for masks of whole bytes (relaxed SIMD); one instruction. */
  relaxed_laneselect_i8x16: (a: V128, b: V128, mask: V128) => apply("v128", [a, b, mask], simd(0x109)),
};

export const f32x4 = {
  splat: unary("f32", "v128", simd(19)),
  const: (value: number) => {
    const bytes = [...new Uint8Array(Float32Array.of(value).buffer)];
    return v128.const([...bytes, ...bytes, ...bytes, ...bytes]);
  },
  extract_lane: (x: V128, lane: number) => apply("f32", [x], [...simd(31), lane]),
  replace_lane: (x: V128, lane: number, value: F32) => apply("v128", [x, lift("f32", value)], [...simd(32), lane]),
  eq: vv(65),
  ne: vv(66),
  lt: vv(67),
  gt: vv(68),
  le: vv(69),
  ge: vv(70),
  ceil: v(103),
  floor: v(104),
  trunc: v(105),
  nearest: v(106),
  abs: v(224),
  neg: v(225),
  sqrt: v(227),
  add: vv(228),
  sub: vv(229),
  mul: vv(230),
  div: vv(231),
  min: vv(232),
  max: vv(233),
  /** b < a ? b : a, NaN as in C; one instruction on x86. */
  pmin: vv(234),
  pmax: vv(235),
  convert_i32x4_s: v(250),
  convert_i32x4_u: v(251),
  /** a·b + c, fused where the host fuses (relaxed SIMD). */
  relaxed_madd: (a: V128, b: V128, c: V128) => apply("v128", [a, b, c], simd(0x105)),
};

export const i32x4 = {
  splat: unary("i32", "v128", simd(17)),
  const: (value: number) => {
    const bytes = [...new Uint8Array(Int32Array.of(value).buffer)];
    return v128.const([...bytes, ...bytes, ...bytes, ...bytes]);
  },
  extract_lane: extract(27),
  replace_lane: (x: V128, lane: number, value: I32) => apply("v128", [x, lift("i32", value)], [...simd(28), lane]),
  eq: vv(55),
  ne: vv(56),
  lt_s: vv(57),
  lt_u: vv(58),
  gt_s: vv(59),
  le_s: vv(61),
  ge_s: vv(63),
  abs: v(160),
  neg: v(161),
  all_true: unary("v128", "i32", simd(163)),
  shl: shift(171),
  shr_s: shift(172),
  shr_u: shift(173),
  add: vv(174),
  sub: vv(177),
  mul: vv(181),
  min_s: vv(182),
  min_u: vv(183),
  max_s: vv(184),
  dot_i16x8_s: vv(186),
  trunc_sat_f32x4_s: v(248),
  trunc_sat_f32x4_u: v(249),
  extend_low_i16x8_s: v(167),
  extend_high_i16x8_s: v(168),
  extend_low_i16x8_u: v(169),
  extend_high_i16x8_u: v(170),
  /** Dot products of four signed bytes with four 7-bit unsigned bytes, added to c (relaxed SIMD). */
  relaxed_dot_i8x16_i7x16_add_s: (a: V128, b: V128, c: V128) => apply("v128", [a, b, c], simd(0x113)),
};

export const i64x2 = {
  splat: unary("i64", "v128", simd(18)),
  extract_lane: (x: V128, lane: number) => apply("i64", [x], [...simd(29), lane]),
  abs: v(192),
  neg: v(193),
  extend_low_i32x4_s: v(199),
  extend_high_i32x4_s: v(200),
  extend_low_i32x4_u: v(201),
  extend_high_i32x4_u: v(202),
  add: vv(206),
  sub: vv(209),
  mul: vv(213),
  eq: vv(214),
  ne: vv(215),
  lt_s: vv(216),
  gt_s: vv(217),
  le_s: vv(218),
  ge_s: vv(219),
};

export const i16x8 = {
  splat: unary("i32", "v128", simd(16)),
  extend_low_i8x16_s: v(135),
  extend_high_i8x16_s: v(136),
  extend_low_i8x16_u: v(137),
  extend_high_i8x16_u: v(138),
  narrow_i32x4_s: vv(133),
  narrow_i32x4_u: vv(134),
  shl: shift(139),
  shr_s: shift(140),
  shr_u: shift(141),
  add: vv(142),
  sub: vv(145),
  sub_sat_s: vv(146),
  mul: vv(149),
  max_s: vv(152),
  gt_s: vv(49),
};

export const i8x16 = {
  splat: unary("i32", "v128", simd(15)),
  swizzle: vv(14),
  /** `swizzle` for indices below 16 (relaxed SIMD); one instruction. */
  relaxed_swizzle: vv(0x100),
  eq: vv(35),
  /** The sign bits of the 16 bytes. */
  bitmask: unary("v128", "i32", simd(100)),
  min_u: vv(119),
  narrow_i16x8_s: vv(101),
  narrow_i16x8_u: vv(102),
  add: vv(110),
  sub: vv(113),
};

export type { F32, F64, I32, I64, V128 };
