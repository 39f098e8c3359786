import type { LaneType } from "../../../specs/elementwise/lanes.js";
import type { ElementType } from "../../wgsl/index.js";
import { type Piece, type Wgsl, wgsl } from "../../wgsl/index.js";

/**
 * Four elements as they are held in registers: vec4 of f32, i32 or bool; int64 as `Long4`, the low and the high words.
 */
export const REGISTERS: Readonly<Record<LaneType, string>> = {
  float32: "vec4<f32>",
  int32: "vec4<i32>",
  int64: "Long4",
  bool: "vec4<bool>",
};

/** How an input lies in its buffer: read four at a time, or element by element. */
export type Access = "quad" | "element";

const QUADS: Readonly<Record<LaneType, ElementType>> = {
  float32: "vec4<f32>",
  int32: "vec4<i32>",
  int64: "vec4<u32>",
  bool: "u32",
};
const ELEMENTS: Readonly<Record<LaneType, ElementType>> = {
  float32: "f32",
  int32: "i32",
  int64: "vec2<u32>",
  bool: "u32",
};
export const storageType = (dtype: LaneType, access: Access): ElementType =>
  (access === "quad" ? QUADS : ELEMENTS)[dtype];

/** Elements 4q to 4q + 3 of an array of quads. */
export function loadQuad(dtype: LaneType, array: Piece, q: Piece): Wgsl {
  if (dtype === "int64") return wgsl`long4(${array}[2u * (${q})], ${array}[2u * (${q}) + 1u])`;
  if (dtype === "bool") return wgsl`bool4(${array}[${q}])`;
  return wgsl`${array}[${q}]`;
}

/** The elements at four places. */
export function loadElements(dtype: LaneType, array: Piece, places: readonly [Piece, Piece, Piece, Piece]): Wgsl {
  if (dtype === "int64") {
    const [a, b, c, d] = places.map((place) => wgsl`${array}[${place}]`) as [Wgsl, Wgsl, Wgsl, Wgsl];
    return wgsl`long4(vec4<u32>(${a}, ${b}), vec4<u32>(${c}, ${d}))`;
  }
  const one = (place: Piece): Piece =>
    dtype === "bool" ? wgsl`bool_at(${array}[(${place}) >> 2u], ${place})` : wgsl`${array}[${place}]`;
  return wgsl`${REGISTERS[dtype]}(${places.map((place) => one(place).toString()).join(", ")})`;
}

/** The same element four times. */
export const splat = (dtype: LaneType, array: Piece, place: Piece): Wgsl =>
  loadElements(dtype, array, [place, place, place, place]);

/** Stores elements 4q to 4q + 3 of `count`; those beyond may land in the padding, never beyond it. */
export function storeQuad(dtype: LaneType, array: Piece, q: Piece, value: Piece, count: Piece): Wgsl {
  if (dtype === "int64") {
    return wgsl`
      ${array}[2u * (${q})] = vec4<u32>(${value}.low.x, ${value}.high.x, ${value}.low.y, ${value}.high.y);
      if (4u * (${q}) + 2u < ${count}) {
        ${array}[2u * (${q}) + 1u] = vec4<u32>(${value}.low.z, ${value}.high.z, ${value}.low.w, ${value}.high.w);
      }
    `;
  }
  if (dtype === "bool") return wgsl`${array}[${q}] = bool_word(${value});`;
  return wgsl`${array}[${q}] = ${value};`;
}

/** Conversions between memory and registers, and arithmetic on 64-bit integers. */
export const LANE_FUNCTIONS = wgsl`
  struct Long4 {
    low: vec4<u32>,
    high: vec4<u32>,
  }
  fn long4(ab: vec4<u32>, cd: vec4<u32>) -> Long4 {
    return Long4(vec4<u32>(ab.xz, cd.xz), vec4<u32>(ab.yw, cd.yw));
  }
  fn bool4(word: u32) -> vec4<bool> {
    return ((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u)) != vec4<u32>(0u);
  }
  fn bool_at(word: u32, place: u32) -> bool {
    return ((word >> (8u * (place & 3u))) & 255u) != 0u;
  }
  fn bool_word(x: vec4<bool>) -> u32 {
    let bytes = select(vec4<u32>(0u), vec4<u32>(1u, 0x100u, 0x10000u, 0x1000000u), x);
    return bytes.x | bytes.y | bytes.z | bytes.w;
  }
  fn long_add(a: Long4, b: Long4) -> Long4 {
    let low = a.low + b.low;
    return Long4(low, a.high + b.high + select(vec4<u32>(0u), vec4<u32>(1u), low < a.low));
  }
  fn long_neg(a: Long4) -> Long4 {
    return long_add(Long4(~a.low, ~a.high), Long4(vec4<u32>(1u), vec4<u32>(0u)));
  }
  fn long_mul(a: Long4, b: Long4) -> Long4 {
    let mask = vec4<u32>(0xffffu);
    let half = vec4<u32>(16u);
    let ll = (a.low & mask) * (b.low & mask);
    let lh = (a.low & mask) * (b.low >> half);
    let hl = (a.low >> half) * (b.low & mask);
    let middle = (ll >> half) + (lh & mask) + (hl & mask);
    let carried = (a.low >> half) * (b.low >> half) + (lh >> half) + (hl >> half) + (middle >> half);
    return Long4(a.low * b.low, carried + a.low * b.high + a.high * b.low);
  }
  fn long_equal(a: Long4, b: Long4) -> vec4<bool> {
    return (a.low == b.low) & (a.high == b.high);
  }
  fn long_less(a: Long4, b: Long4) -> vec4<bool> {
    return (bitcast<vec4<i32>>(a.high) < bitcast<vec4<i32>>(b.high)) | ((a.high == b.high) & (a.low < b.low));
  }
  fn long_select(a: Long4, b: Long4, take_b: vec4<bool>) -> Long4 {
    return Long4(select(a.low, b.low, take_b), select(a.high, b.high, take_b));
  }
  fn long_of_int(x: vec4<i32>) -> Long4 {
    return Long4(bitcast<vec4<u32>>(x), bitcast<vec4<u32>>(x >> vec4<u32>(31u)));
  }
  fn long_of_bool(x: vec4<bool>) -> Long4 {
    return Long4(select(vec4<u32>(0u), vec4<u32>(1u), x), vec4<u32>(0u));
  }
  fn long_of_float(x: vec4<f32>) -> Long4 {
    let most = vec4<f32>(9223371487098961920.0f);
    let whole = trunc(clamp(select(x, vec4<f32>(0.0f), is_nan(x)), -9223372036854775808.0f * vec4<f32>(1.0f), most));
    let size = abs(whole);
    let high = floor(size * 2.3283064365386963e-10f);
    let positive = Long4(vec4<u32>(size - high * 4294967296.0f), vec4<u32>(high));
    return long_select(positive, long_neg(positive), whole < vec4<f32>(0.0f));
  }
  fn long_to_float(x: Long4) -> vec4<f32> {
    let negative = bitcast<vec4<i32>>(x.high) < vec4<i32>(0);
    let size = long_select(x, long_neg(x), negative);
    let value = vec4<f32>(size.high) * 4294967296.0f + vec4<f32>(size.low);
    return select(value, -value, negative);
  }
`;
