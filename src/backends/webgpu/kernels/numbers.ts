import { type ElementName, LOWEST, type Piece, type Register, registerOf, type Wgsl, wgsl } from "../wgsl/index.js";

/** How several numbers become one. */
export type FoldName = "sum" | "product" | "max" | "min";

/** What a reduction does with numbers in registers of one kind. */
export interface Numbers {
  readonly name: string;
  readonly register: Register;
  /** What the other members' texts call. */
  readonly functions: Piece;
  /** What a fold starts from. */
  readonly initial: Readonly<Record<FoldName, Piece>>;
  join(fold: FoldName, a: Piece, b: Piece): Wgsl;
  absolute(x: Piece): Wgsl;
  product(a: Piece, b: Piece): Wgsl;
  /** Expressions for a < b. */
  less(a: Piece, b: Piece): Wgsl;
}

const built = (name: "f32" | "i32" | "u32", initial: Numbers["initial"]): Numbers => ({
  name,
  register: name,
  functions: [],
  initial,
  join(fold, a, b) {
    if (fold === "max" || fold === "min") return wgsl`${fold}(${a}, ${b})`;
    return wgsl`(${a} ${fold === "sum" ? "+" : "*"} ${b})`;
  },
  absolute: (x) => wgsl`abs(${x})`,
  product: (a, b) => wgsl`(${a} * ${b})`,
  less: (a, b) => wgsl`${a} < ${b}`,
});

const FLOATS = built("f32", { sum: "0.0f", product: "1.0f", max: LOWEST, min: wgsl`-(${LOWEST})` });
const INTS = built("i32", { sum: "0i", product: "1i", max: "i32(-2147483648)", min: "2147483647i" });
const UINTS = built("u32", { sum: "0u", product: "1u", max: "0u", min: "0xffffffffu" });

const LONG_FUNCTIONS = wgsl`
  fn long_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
  }
  fn long_mul(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let ll = (a.x & 0xffffu) * (b.x & 0xffffu);
    let lh = (a.x & 0xffffu) * (b.x >> 16u);
    let hl = (a.x >> 16u) * (b.x & 0xffffu);
    let middle = (ll >> 16u) + (lh & 0xffffu) + (hl & 0xffffu);
    let carried = (a.x >> 16u) * (b.x >> 16u) + (lh >> 16u) + (hl >> 16u) + (middle >> 16u);
    return vec2<u32>(a.x * b.x, carried + a.x * b.y + a.y * b.x);
  }
  fn long_less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return bitcast<i32>(a.y) < bitcast<i32>(b.y) || (a.y == b.y && a.x < b.x);
  }
  fn ulong_less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
  }
  fn long_abs(a: vec2<u32>) -> vec2<u32> {
    return select(a, long_add(~a, vec2<u32>(1u, 0u)), bitcast<i32>(a.y) < 0);
  }
`;

const longs = (name: "long" | "ulong", initial: Numbers["initial"]): Numbers => ({
  name,
  register: "vec2<u32>",
  functions: LONG_FUNCTIONS,
  initial,
  join(fold, a, b) {
    if (fold === "sum") return wgsl`long_add(${a}, ${b})`;
    if (fold === "product") return wgsl`long_mul(${a}, ${b})`;
    const [low, high] = fold === "max" ? [a, b] : [b, a];
    return wgsl`select(${a}, ${b}, ${name}_less(${low}, ${high}))`;
  },
  absolute: (x) => (name === "long" ? wgsl`long_abs(${x})` : wgsl`${x}`),
  product: (a, b) => wgsl`long_mul(${a}, ${b})`,
  less: (a, b) => wgsl`${name}_less(${a}, ${b})`,
});

const NONE = "vec2<u32>()";
const ONE = "vec2<u32>(1u, 0u)";
const LONGS = longs("long", {
  sum: NONE,
  product: ONE,
  max: "vec2<u32>(0u, 0x80000000u)",
  min: "vec2<u32>(0xffffffffu, 0x7fffffffu)",
});
const ULONGS = longs("ulong", { sum: NONE, product: ONE, max: NONE, min: "vec2<u32>(0xffffffffu)" });

/** The numbers that elements of a dtype are in registers. */
export function numbersOf(dtype: ElementName): Numbers {
  if (dtype === "int64") return LONGS;
  if (dtype === "uint64") return ULONGS;
  const register = registerOf(dtype);
  return register === "f32" ? FLOATS : register === "i32" ? INTS : UINTS;
}
