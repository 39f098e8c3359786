import type { LaneType } from "../../../specs/elementwise/lanes.js";
import type { DeviceInfo } from "../../kernel.js";
import {
  type ArrayName,
  type ElementName,
  type ElementType,
  type Piece,
  registerOf,
  type Storage,
  type Wgsl,
  wgsl,
} from "../../wgsl/index.js";
import { REGISTERS } from "./lanes.js";

/** How elements lie in memory that are computed with four at a time: as their dtype has it, and packed. */
export interface Stored {
  readonly dtype: ElementName;
  /** Unsigned integers are computed with as signed ones; where their order counts, that takes half their range away from them. */
  readonly shifted: boolean;
}

export const storedKey = ({ dtype, shifted }: Stored): string => `${dtype}${shifted ? "-shifted" : ""}`;

/** The lanes that elements of a dtype are computed in. */
export function lanesOf(dtype: ElementName): LaneType {
  if (dtype === "bool") return "bool";
  const register = registerOf(dtype);
  return register === "f32" ? "float32" : register === "vec2<u32>" ? "int64" : "int32";
}

/** Four elements in memory. */
const QUADS: Readonly<Record<ElementName, ElementType>> = {
  float32: "vec4<f32>",
  float16: "vec2<u32>",
  bfloat16: "vec2<u32>",
  int8: "u32",
  uint8: "u32",
  bool: "u32",
  int16: "vec2<u32>",
  uint16: "vec2<u32>",
  int32: "vec4<i32>",
  uint32: "vec4<u32>",
  int64: "vec4<u32>",
  uint64: "vec4<u32>",
};

/** How an input lies in its buffer: read four at a time, or element by element. */
export type Access = "quad" | "element";
export const storageType = (dtype: ElementName, access: Access): Storage["type"] =>
  access === "quad" ? QUADS[dtype] : dtype;

/** Functions from four packed elements to lanes, and back. */
const PACKED: Readonly<Partial<Record<ElementName, readonly [unpack: string, pack: string]>>> = {
  float16: ["halves", "words_of_halves"],
  bfloat16: ["brains", "words_of_brains"],
  int8: ["signed_bytes", "word_of_bytes"],
  uint8: ["unsigned_bytes", "word_of_bytes"],
  int16: ["signed_shorts", "words_of_shorts"],
  uint16: ["unsigned_shorts", "words_of_shorts"],
  bool: ["bools", "word_of_bools"],
};

function shift({ dtype, shifted }: Stored, lanes: Wgsl): Wgsl {
  if (shifted && dtype === "uint32") return wgsl`(${lanes} ^ vec4<i32>(i32(-2147483648)))`;
  return shifted && dtype === "uint64" ? wgsl`long_shift(${lanes})` : lanes;
}

/** Elements 4q to 4q + 3 of an array of quads. */
export function loadQuad(stored: Stored, array: ArrayName, q: Piece): Wgsl {
  const { dtype } = stored;
  const packed = PACKED[dtype];
  if (packed !== undefined) return wgsl`${packed[0]}(${array}[${q}])`;
  if (lanesOf(dtype) === "int64") {
    return shift(stored, wgsl`long4(${array}[2u * (${q})], ${array}[2u * (${q}) + 1u])`);
  }
  if (dtype === "uint32") return shift(stored, wgsl`bitcast<vec4<i32>>(${array}[${q}])`);
  return wgsl`${array}[${q}]`;
}

/** The elements at four places. */
export function loadElements(stored: Stored, array: ArrayName, places: readonly [Piece, Piece, Piece, Piece]): Wgsl {
  const { dtype } = stored;
  const elements = places.map((place) => array.load(place));
  const lanes = lanesOf(dtype);
  if (lanes === "int64") {
    const [a, b, c, d] = elements as [Wgsl, Wgsl, Wgsl, Wgsl];
    return shift(stored, wgsl`long4(vec4<u32>(${a}, ${b}), vec4<u32>(${c}, ${d}))`);
  }
  const one = (element: Wgsl): Wgsl => {
    if (lanes === "bool") return wgsl`${element} != 0u`;
    return registerOf(dtype) === "u32" ? wgsl`bitcast<i32>(${element})` : element;
  };
  return shift(stored, wgsl`${REGISTERS[lanes]}(${elements.map((element) => one(element).text).join(", ")})`);
}

/** The same element four times. */
export const splat = (stored: Stored, array: ArrayName, place: Piece): Wgsl =>
  loadElements(stored, array, [place, place, place, place]);

/** Stores elements 4q to 4q + 3 of `count`; those beyond may land in the padding, never beyond it. */
export function storeQuad(stored: Stored, array: ArrayName, q: Piece, lanes: Wgsl, count: Piece): Wgsl {
  const { dtype } = stored;
  const packed = PACKED[dtype];
  if (packed !== undefined) return wgsl`${array}[${q}] = ${packed[1]}(${lanes});`;
  if (lanesOf(dtype) === "int64") {
    return wgsl`
      {
        let long = ${shift(stored, lanes)};
        ${array}[2u * (${q})] = vec4<u32>(long.low.x, long.high.x, long.low.y, long.high.y);
        if (4u * (${q}) + 2u < ${count}) {
          ${array}[2u * (${q}) + 1u] = vec4<u32>(long.low.z, long.high.z, long.low.w, long.high.w);
        }
      }
    `;
  }
  if (dtype === "uint32") return wgsl`${array}[${q}] = bitcast<vec4<u32>>(${shift(stored, lanes)});`;
  return wgsl`${array}[${q}] = ${lanes};`;
}

/** What the texts above call for these dtypes; of what a step rounds to as well. `rounding`: a step rounds to float16. */
export function storedFunctions(dtypes: ReadonlySet<ElementName>, { f16 }: DeviceInfo, rounding: boolean): Piece {
  return [
    INTEGER_FUNCTIONS,
    dtypes.has("float16") ? (f16 ? HALVES : HALVES_BY_WORDS) : [],
    rounding ? ROUNDED_TO_HALF : [],
    dtypes.has("bfloat16") ? BRAINS : [],
  ];
}

const INTEGER_FUNCTIONS = wgsl`
  fn bools(word: u32) -> vec4<bool> {
    return unsigned_bytes(word) != vec4<i32>(0);
  }
  fn word_of_bools(x: vec4<bool>) -> u32 {
    return word_of_bytes(select(vec4<i32>(0), vec4<i32>(1), x));
  }
  fn signed_bytes(word: u32) -> vec4<i32> {
    return (vec4<i32>(bitcast<i32>(word)) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
  }
  fn unsigned_bytes(word: u32) -> vec4<i32> {
    return bitcast<vec4<i32>>((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u));
  }
  fn word_of_bytes(x: vec4<i32>) -> u32 {
    let bytes = (bitcast<vec4<u32>>(x) & vec4<u32>(255u)) << vec4<u32>(0u, 8u, 16u, 24u);
    return bytes.x | bytes.y | bytes.z | bytes.w;
  }
  fn signed_shorts(words: vec2<u32>) -> vec4<i32> {
    return (bitcast<vec4<i32>>(words.xxyy) << vec4<u32>(16u, 0u, 16u, 0u)) >> vec4<u32>(16u);
  }
  fn unsigned_shorts(words: vec2<u32>) -> vec4<i32> {
    return bitcast<vec4<i32>>((words.xxyy >> vec4<u32>(0u, 16u, 0u, 16u)) & vec4<u32>(0xffffu));
  }
  fn words_of_shorts(x: vec4<i32>) -> vec2<u32> {
    let bits = bitcast<vec4<u32>>(x);
    return (bits.xz & vec2<u32>(0xffffu)) | (bits.yw << vec2<u32>(16u));
  }
`;

const HALVES = wgsl`
  fn halves(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(bitcast<vec4<f16>>(words));
  }
  fn words_of_halves(x: vec4<f32>) -> vec2<u32> {
    return bitcast<vec2<u32>>(vec4<f16>(x));
  }
`;
const HALVES_BY_WORDS = wgsl`
  fn halves(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
  }
  fn words_of_halves(x: vec4<f32>) -> vec2<u32> {
    let bits = half_bits(x);
    return bits.xz | (bits.yw << vec2<u32>(16u));
  }
`;
/** By bits on every device: drivers take a conversion to f16 and back for nothing. */
const ROUNDED_TO_HALF = wgsl`
  fn rounded_to_half(x: vec4<f32>) -> vec4<f32> {
    let bits = half_bits(x);
    return halves(bits.xz | (bits.yw << vec2<u32>(16u)));
  }
`;
const BRAINS = wgsl`
  fn brains(words: vec2<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>((words.xxyy << vec4<u32>(16u, 0u, 16u, 0u)) & vec4<u32>(0xffff0000u));
  }
  fn words_of_brains(x: vec4<f32>) -> vec2<u32> {
    let bits = brain_bits(x);
    return bits.xz | (bits.yw << vec2<u32>(16u));
  }
`;
