import type { DeviceInfo } from "../kernel.js";
import { type Piece, type Wgsl, wgsl } from "./text.js";

/**
 * Elements of tensors as they lie in memory, and as they are computed with: a kernel that reads with `load` and writes with `store` works
 * for all dtypes of one register. Floats are computed with in float32 and rounded once, to nearest even, when they are stored; integers
 * wrap when they are stored.
 */

/** What holds an element in a shader; 64-bit integers are two words, the low one first. */
export type Register = "f32" | "i32" | "u32" | "vec2<u32>";

interface Packing {
  readonly register: Register;
  readonly bits: 8 | 16 | 32 | 64;
}

const PACKINGS = {
  float32: { register: "f32", bits: 32 },
  float16: { register: "f32", bits: 16 },
  bfloat16: { register: "f32", bits: 16 },
  int8: { register: "i32", bits: 8 },
  int16: { register: "i32", bits: 16 },
  int32: { register: "i32", bits: 32 },
  uint8: { register: "u32", bits: 8 },
  uint16: { register: "u32", bits: 16 },
  uint32: { register: "u32", bits: 32 },
  bool: { register: "u32", bits: 8 },
  int64: { register: "vec2<u32>", bits: 64 },
  uint64: { register: "vec2<u32>", bits: 64 },
} as const satisfies Record<string, Packing>;

/** A dtype whose elements a shader loads and stores. */
export type ElementName = keyof typeof PACKINGS;
/** A float dtype among them. */
export type FloatName = "float32" | "float16" | "bfloat16";

export const isElementName = (name: string): name is ElementName => Object.hasOwn(PACKINGS, name);
export const isFloatName = (name: string): name is FloatName => isElementName(name) && registerOf(name) === "f32";
export const registerOf = (name: ElementName): Register => PACKINGS[name].register;

/** True where an element has a WGSL type of its own in memory; others share a u32. */
const isWhole = (name: ElementName, { f16 }: DeviceInfo): boolean =>
  PACKINGS[name].bits >= 32 || (name === "float16" && f16);

/**
 * The WGSL type of an array's elements. Where several share a word, it is written by atomic operations that touch only one element's
 * bits, so that invocations need not know of each other.
 */
export function elementType(name: ElementName, access: "read" | "read_write", device: DeviceInfo): string {
  if (!isWhole(name, device)) return access === "read" ? "u32" : "atomic<u32>";
  return name === "float16" ? "f16" : registerOf(name);
}

/** Where an element of fewer than 32 bits lies: its word, and its first bit there. */
function placeOf(name: ElementName, index: Piece): { word: Wgsl; shift: Wgsl } {
  const bytes = PACKINGS[name].bits / 8;
  return bytes === 1
    ? { word: wgsl`(${index}) >> 2u`, shift: wgsl`8u * ((${index}) & 3u)` }
    : { word: wgsl`(${index}) >> 1u`, shift: wgsl`16u * ((${index}) & 1u)` };
}

/** The element at a u32 index, in its register. */
export function loadElement(name: ElementName, array: Piece, index: Piece, device: DeviceInfo): Wgsl {
  if (isWhole(name, device)) return name === "float16" ? wgsl`f32(${array}[${index}])` : wgsl`${array}[${index}]`;
  const { bits, register } = PACKINGS[name];
  const { word, shift } = placeOf(name, index);
  if (name === "float16") return wgsl`half_value(${array}[${word}] >> (${shift}))`;
  if (name === "bfloat16") return wgsl`brain_value(${array}[${word}] >> (${shift}))`;
  if (register === "i32") return wgsl`extractBits(bitcast<i32>(${array}[${word}]), ${shift}, ${bits}u)`;
  return wgsl`extractBits(${array}[${word}], ${shift}, ${bits}u)`;
}

/** A statement that writes a register's value to a u32 index. */
export function storeElement(name: ElementName, array: Piece, index: Piece, value: Piece, device: DeviceInfo): Wgsl {
  if (isWhole(name, device)) {
    return name === "float16" ? wgsl`${array}[${index}] = f16(${value});` : wgsl`${array}[${index}] = ${value};`;
  }
  const mask = `0x${(2 ** PACKINGS[name].bits - 1).toString(16)}u`;
  const { word, shift } = placeOf(name, "stored_at");
  return wgsl`
    {
      let stored_bits = ${bitsOf(name, value)};
      let stored_at = ${index};
      let stored_shift = ${shift};
      atomicAnd(&${array}[${word}], ~(${mask} << stored_shift));
      atomicOr(&${array}[${word}], (stored_bits & ${mask}) << stored_shift);
    }
  `;
}

function bitsOf(name: ElementName, value: Piece): Wgsl {
  if (name === "float16") return wgsl`half_bits(vec4<f32>(${value})).x`;
  if (name === "bfloat16") return wgsl`brain_bits(vec4<f32>(${value})).x`;
  return registerOf(name) === "i32" ? wgsl`bitcast<u32>(${value})` : wgsl`${value}`;
}

/** The functions on bits of floats that a text calls. */
export const elementFunctions = (text: string): Piece => [
  /\bhalf_(value|bits)\b/.test(text) ? HALF_FUNCTIONS : [],
  /\bbrain_(value|bits)\b/.test(text) ? BRAIN_FUNCTIONS : [],
];

/** float16 by its bits, of which others may lie above. Overflow gives infinity, which WGSL's own packing leaves open. */
const HALF_FUNCTIONS = wgsl`
  fn half_value(bits: u32) -> f32 {
    return unpack2x16float(bits).x;
  }
  fn half_bits(x: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(x);
    let size = bits & vec4<u32>(0x7fffffffu);
    let even = (size >> vec4<u32>(13u)) & vec4<u32>(1u);
    let normal = (size + vec4<u32>(0xfffu) + even - vec4<u32>(0x38000000u)) >> vec4<u32>(13u);
    let tiny = vec4<u32>(round(min(abs(x), vec4<f32>(1.0f)) * 16777216.0f));
    let number = select(min(normal, vec4<u32>(0x7c00u)), tiny, size < vec4<u32>(0x38800000u));
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    return select(number, vec4<u32>(0x7e00u), size > vec4<u32>(0x7f800000u)) | sign;
  }
`;

/** bfloat16 by its bits, of which others may lie above: the upper half of a float32. */
const BRAIN_FUNCTIONS = wgsl`
  fn brain_value(bits: u32) -> f32 {
    return bitcast<f32>(bits << 16u);
  }
  fn brain_bits(x: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(x);
    let even = (bits >> vec4<u32>(16u)) & vec4<u32>(1u);
    let number = (bits + vec4<u32>(0x7fffu) + even) >> vec4<u32>(16u);
    let nan = vec4<u32>(0x7fc0u) | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
    return select(number, nan, (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u));
  }
`;
