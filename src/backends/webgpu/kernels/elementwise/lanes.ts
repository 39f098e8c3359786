import type { LaneType } from "../../../specs/elementwise/lanes.js";
import { wgsl } from "../../wgsl/index.js";

/**
 * Four elements as they are held in registers: vec4 of f32, i32 or bool; int64 as `Long4`, the low and the high words.
 */
export const REGISTERS: Readonly<Record<LaneType, string>> = {
  float32: "vec4<f32>",
  int32: "vec4<i32>",
  int64: "Long4",
  bool: "vec4<bool>",
};

/** 64-bit integers, and their arithmetic. */
export const LANE_FUNCTIONS = wgsl`
  struct Long4 {
    low: vec4<u32>,
    high: vec4<u32>,
  }
  fn long4(ab: vec4<u32>, cd: vec4<u32>) -> Long4 {
    return Long4(vec4<u32>(ab.xz, cd.xz), vec4<u32>(ab.yw, cd.yw));
  }
  fn long_shift(x: Long4) -> Long4 {
    return Long4(x.low, x.high ^ vec4<u32>(0x80000000u));
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
