/** float16 and bfloat16 to and from numbers: IEEE 754 binary16 and the upper half of binary32, rounding to nearest even. */

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);
const f64 = new Float64Array(1);
const u64 = new BigUint64Array(f64.buffer);

/** The number that the 16 bits of a float16 stand for; exact. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the float16 nearest to `value`, ties to even; overflow gives infinity, NaN gives 0x7e00 with its sign. */
export function numberToFloat16(value: number): number {
  f64[0] = value;
  const sign = Number((u64[0] as bigint) >> 63n) << 15;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00; // halfway between 65504 and 65536 rounds up
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24); // subnormal, or the smallest normal when it rounds up to 1024
  const exponent = Math.floor(Math.log2(magnitude));
  const power = magnitude < 2 ** exponent ? exponent - 1 : magnitude >= 2 ** (exponent + 1) ? exponent + 1 : exponent;
  const fraction = roundHalfEven((magnitude / 2 ** power - 1) * 1024); // 1024 carries into the exponent
  return sign | (((power + 15) << 10) + fraction);
}

/** The number that the 16 bits of a bfloat16 stand for; exact. */
export function bfloat16ToNumber(bits: number): number {
  u32[0] = bits << 16;
  return f32[0] as number;
}

/** The bits of the bfloat16 nearest to `value` after rounding it to float32, ties to even; NaN gives 0x7fc0 with its sign. */
export function numberToBfloat16(value: number): number {
  f32[0] = value;
  const bits = u32[0] as number;
  if (Number.isNaN(value)) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
