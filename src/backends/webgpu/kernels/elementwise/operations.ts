import type { LaneType } from "../../../specs/elementwise/lanes.js";
import type { Step } from "../../../specs/elementwise/program.js";
import { f32, type Piece, wgsl } from "../../wgsl/index.js";
import { activation } from "../math.js";
import { REGISTERS } from "./lanes.js";

type Operation = (a: Piece, b: Piece) => Piece;

const infix =
  (operator: string): Operation =>
  (a, b) =>
    wgsl`(${a} ${operator} ${b})`;
const call =
  (name: string, arity: 1 | 2 = 1): Operation =>
  (a, b) =>
    arity === 1 ? wgsl`${name}(${a})` : wgsl`${name}(${a}, ${b})`;
const identity: Operation = (a) => a;
const comparisons = {
  Equal: infix("=="),
  Less: infix("<"),
  LessOrEqual: infix("<="),
  Greater: infix(">"),
  GreaterOrEqual: infix(">="),
};
/** NaN where either is: WGSL leaves open what `max` and `min` make of it. */
const withNaN =
  (name: string): Operation =>
  (a, b) =>
    wgsl`select(${name}(${a}, ${b}), ${a} + ${b}, is_nan(${a}) | is_nan(${b}))`;

const FLOAT: Readonly<Record<string, Operation>> = {
  Identity: identity,
  Add: infix("+"),
  Sub: infix("-"),
  Mul: infix("*"),
  Div: infix("/"),
  Max: withNaN("max"),
  Min: withNaN("min"),
  AtLeast: (x, low) => wgsl`select(${x}, ${low}, ${x} < ${low})`,
  AtMost: (x, high) => wgsl`select(${x}, ${high}, ${x} > ${high})`,
  Pow: call("power", 2),
  PRelu: (x, slope) => wgsl`select(${x}, ${x} * ${slope}, ${x} < vec4<f32>(0.0f))`,
  Abs: call("abs"),
  Neg: (x) => wgsl`(-${x})`,
  Sign: (x) => wgsl`select(sign(${x}), ${x}, is_nan(${x}))`,
  Sqrt: call("sqrt"),
  Reciprocal: (x) => wgsl`(1.0f / ${x})`,
  Floor: call("floor"),
  Ceil: call("ceil"),
  Round: call("round"),
  Exp: call("exponential"),
  Log: call("logarithm"),
  Sin: call("sine"),
  Cos: call("cosine"),
  Erf: call("erf"),
  IsNaN: call("is_nan"),
  ToFloat16: call("rounded_to_half"),
  ToBfloat16: (x) => wgsl`brains(words_of_brains(${x}))`,
  ...comparisons,
};

const INT32: Readonly<Record<string, Operation>> = {
  Identity: identity,
  Add: infix("+"),
  Sub: infix("-"),
  Mul: infix("*"),
  Max: call("max", 2),
  Min: call("min", 2),
  AtLeast: call("max", 2),
  AtMost: call("min", 2),
  Relu: (x) => wgsl`max(${x}, vec4<i32>(0))`,
  Abs: call("abs"),
  Neg: (x) => wgsl`(-${x})`,
  ...comparisons,
};

const not =
  (operation: Operation): Operation =>
  (a, b) =>
    wgsl`!${operation(a, b)}`;
const less = call("long_less", 2);
const most: Operation = (a, b) => wgsl`long_select(${a}, ${b}, long_less(${a}, ${b}))`;
const least: Operation = (a, b) => wgsl`long_select(${a}, ${b}, long_less(${b}, ${a}))`;

const INT64: Readonly<Record<string, Operation>> = {
  Identity: identity,
  Add: call("long_add", 2),
  Sub: (a, b) => wgsl`long_add(${a}, long_neg(${b}))`,
  Mul: call("long_mul", 2),
  Max: most,
  Min: least,
  AtLeast: most,
  AtMost: least,
  Abs: (x) => wgsl`long_select(${x}, long_neg(${x}), bitcast<vec4<i32>>(${x}.high) < vec4<i32>(0))`,
  Neg: call("long_neg"),
  Equal: call("long_equal", 2),
  Less: less,
  Greater: (a, b) => less(b, a),
  LessOrEqual: (a, b) => not(less)(b, a),
  GreaterOrEqual: not(less),
};

const BOOL: Readonly<Record<string, Operation>> = {
  Identity: identity,
  And: infix("&"),
  Or: infix("|"),
  Xor: infix("!="),
  Not: (x) => wgsl`(!${x})`,
  Equal: infix("=="),
};

const OPERATIONS: Readonly<Record<LaneType, Readonly<Record<string, Operation>>>> = {
  float32: FLOAT,
  int32: INT32,
  int64: INT64,
  bool: BOOL,
};

const words = (value: number): { low: number; high: number } => {
  const bits = BigInt.asUintN(64, BigInt(value));
  return { low: Number(bits & 0xffffffffn), high: Number(bits >> 32n) };
};

/** A constant in all four lanes. Infinities and NaN are made from their bits, in a way that no compiler sees through. */
function constant(dtype: LaneType, value: number): Piece {
  if (dtype === "bool") return wgsl`vec4<bool>(${String(value !== 0)})`;
  if (dtype === "int32") return wgsl`vec4<i32>(${value === -(2 ** 31) ? "i32(-2147483648)" : value})`;
  if (dtype === "int64") {
    const { low, high } = words(value);
    return wgsl`Long4(vec4<u32>(${low}u), vec4<u32>(${high}u))`;
  }
  if (Number.isFinite(Math.fround(value))) return wgsl`vec4<f32>(${f32(value)})`;
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return wgsl`bitcast<vec4<f32>>(vec4<u32>(${bits}u) | vec4<u32>(opaque_zero))`;
}

function cast(from: LaneType, to: LaneType, x: Piece): Piece {
  if (from === to) return x;
  if (to === "bool") {
    if (from === "int64") return wgsl`((${x}.low | ${x}.high) != vec4<u32>(0u))`;
    return wgsl`(${x} != ${REGISTERS[from]}())`;
  }
  if (to === "int64") {
    const source = from === "bool" ? "bool" : from === "int32" ? "int" : "float";
    return wgsl`long_of_${source}(${x})`;
  }
  if (from === "int64") return to === "int32" ? wgsl`bitcast<vec4<i32>>(${x}.low)` : wgsl`long_to_float(${x})`;
  if (from === "bool") return wgsl`select(${REGISTERS[to]}(), ${REGISTERS[to]}(1), ${x})`;
  return wgsl`${REGISTERS[to]}(${x})`;
}

/** The four lanes of a step's result; `args` are variables, `types` their dtypes. */
export function stepText({ op, params, dtype }: Step, args: readonly Piece[], types: readonly LaneType[]): Piece {
  if (op === "Constant") return constant(dtype, params[0]!);
  if (op === "Cast") return cast(types[0]!, dtype, args[0]!);
  if (op === "Where") {
    const [condition, x, y] = args as [Piece, Piece, Piece];
    return wgsl`${dtype === "int64" ? "long_select" : "select"}(${y}, ${x}, ${condition})`;
  }
  const operation = OPERATIONS[types[0]!][op];
  if (operation !== undefined) return operation(args[0]!, args[1] ?? "");
  const active = activation(op, params, args[0]!, "vec4<f32>");
  if (active === null) throw new TypeError(`no operation '${op}'`);
  return active;
}
