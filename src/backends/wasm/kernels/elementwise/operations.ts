import type { LaneType } from "../../../specs/elementwise/lanes.js";
import type { Step } from "../../../specs/elementwise/program.js";
import { type Func, f32x4, i32x4, i64, i64x2, type Local, type V128, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import { activate, bind, cos, erf, exp, log, pow, sin } from "../../math.js";
import { castLanes, narrowMask, partsOf, widenMask } from "./lanes.js";

type Part = (args: readonly Local<"v128">[], at: Emission) => V128;

interface Emission {
  readonly f: Func;
  readonly device: DeviceInfo;
  readonly params: readonly number[];
}

const two =
  (op: (a: V128, b: V128) => V128): Part =>
  ([a, b]) =>
    op(a!, b!);
const one =
  (op: (x: V128) => V128): Part =>
  ([x]) =>
    op(x!);
const math =
  (op: (f: Func, x: V128, device: DeviceInfo) => V128): Part =>
  ([x], { f, device }) =>
    op(f, x!, device);
const activation =
  (name: string): Part =>
  ([x], { f, device, params }) =>
    activate(f, name, params, x!, device);
/** `a` where it is `better` than `b`. */
const better =
  (test: (a: V128, b: V128) => V128): Part =>
  ([a, b]) =>
    v128.bitselect(a!, b!, test(a!, b!));
const not =
  (test: (a: V128, b: V128) => V128) =>
  (a: V128, b: V128): V128 =>
    v128.not(test(a, b));

const ZERO = i32x4.const(0);

const FLOAT_OPERATIONS: Readonly<Record<string, Part>> = {
  Identity: one((x) => x),
  Add: two(f32x4.add),
  Sub: two(f32x4.sub),
  Mul: two(f32x4.mul),
  Div: two(f32x4.div),
  Max: two(f32x4.max),
  Min: two(f32x4.min),
  AtLeast: two(f32x4.pmax),
  AtMost: two(f32x4.pmin),
  Pow: ([x, y], { f, device }) => pow(f, x!, y!, device),
  PRelu: ([x, slope]) => v128.bitselect(f32x4.mul(x!, slope!), x!, f32x4.lt(x!, f32x4.const(0))),
  Abs: one(f32x4.abs),
  Neg: one(f32x4.neg),
  Sign: ([x]) => {
    const unit = v128.or(v128.and(x!, i32x4.const(0x80000000 | 0)), f32x4.const(1));
    return v128.bitselect(unit, x!, v128.or(f32x4.lt(x!, f32x4.const(0)), f32x4.gt(x!, f32x4.const(0))));
  },
  Sqrt: one(f32x4.sqrt),
  Reciprocal: one((x) => f32x4.div(f32x4.const(1), x)),
  Floor: one(f32x4.floor),
  Ceil: one(f32x4.ceil),
  Round: one(f32x4.nearest),
  Exp: math(exp),
  Log: math(log),
  Sin: math(sin),
  Cos: math(cos),
  Erf: math(erf),
  IsNaN: one((x) => f32x4.ne(x, x)),
  Equal: two(f32x4.eq),
  Less: two(f32x4.lt),
  LessOrEqual: two(f32x4.le),
  Greater: two(f32x4.gt),
  GreaterOrEqual: two(f32x4.ge),
};

const INT32_OPERATIONS: Readonly<Record<string, Part>> = {
  Identity: one((x) => x),
  Add: two(i32x4.add),
  Sub: two(i32x4.sub),
  Mul: two(i32x4.mul),
  Max: two(i32x4.max_s),
  Min: two(i32x4.min_s),
  AtLeast: two(i32x4.max_s),
  AtMost: two(i32x4.min_s),
  Relu: one((x) => i32x4.max_s(x, ZERO)),
  Abs: one(i32x4.abs),
  Neg: one(i32x4.neg),
  Equal: two(i32x4.eq),
  Less: two(i32x4.lt_s),
  LessOrEqual: two(i32x4.le_s),
  Greater: two(i32x4.gt_s),
  GreaterOrEqual: two(i32x4.ge_s),
};

const INT64_OPERATIONS: Readonly<Record<string, Part>> = {
  Identity: one((x) => x),
  Add: two(i64x2.add),
  Sub: two(i64x2.sub),
  Mul: two(i64x2.mul),
  Max: better(i64x2.gt_s),
  Min: better(i64x2.lt_s),
  AtLeast: better(i64x2.gt_s),
  AtMost: better(i64x2.lt_s),
  Abs: one(i64x2.abs),
  Neg: one(i64x2.neg),
  Equal: two(i64x2.eq),
  Less: two(i64x2.lt_s),
  LessOrEqual: two(i64x2.le_s),
  Greater: two(i64x2.gt_s),
  GreaterOrEqual: two(i64x2.ge_s),
};

const BOOL_OPERATIONS: Readonly<Record<string, Part>> = {
  Identity: one((x) => x),
  And: two(v128.and),
  Or: two(v128.or),
  Xor: two(v128.xor),
  Not: one(v128.not),
  Equal: two(not(v128.xor)),
};

const OPERATIONS: Readonly<Record<LaneType, Readonly<Record<string, Part>>>> = {
  float32: FLOAT_OPERATIONS,
  int32: INT32_OPERATIONS,
  int64: INT64_OPERATIONS,
  bool: BOOL_OPERATIONS,
};

const constant = (dtype: LaneType, value: number): V128 => {
  if (dtype === "float32") return f32x4.const(value);
  if (dtype === "int64") return i64x2.splat(i64.const(BigInt(value)));
  return i32x4.const(dtype === "bool" ? -Number(value !== 0) : value);
};

/** Steps that take more than a few instructions: their loops are not worth unrolling. */
const LIGHT = new Set(
  "Identity Add Sub Mul Div Max Min AtLeast AtMost Abs Neg Sqrt Reciprocal Floor Ceil Round Relu Clip Constant Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not Where".split(
    " ",
  ),
);
export const isLight = ({ op }: Step): boolean => LIGHT.has(op);

/** The lanes of a step's result. `args` are lanes in locals, `types` their dtypes. */
export function emitStep(
  f: Func,
  device: DeviceInfo,
  step: Step,
  args: readonly (readonly Local<"v128">[])[],
  types: readonly LaneType[],
): readonly V128[] {
  const { op, params, dtype } = step;
  if (op === "Constant") return Array.from({ length: partsOf(dtype) }, () => constant(dtype, params[0]!));
  if (op === "Cast") return castLanes(types[0]!, dtype, args[0]!);
  if (op === "Where") {
    const [[mask], x, y] = args as [[Local<"v128">], Local<"v128">[], Local<"v128">[]];
    const masks = dtype === "int64" ? widenMask(mask) : [mask];
    return masks.map((part, i) => v128.bitselect(x[i]!, y[i]!, part));
  }
  const type = types[0]!;
  const part = OPERATIONS[type][op] ?? activation(op);
  const at = { f, device, params };
  const parts = Array.from({ length: partsOf(type) }, (_, i) =>
    part(
      args.map((lanes) => lanes[i]!),
      at,
    ),
  );
  if (type !== "int64" || dtype !== "bool") return parts;
  return [bind(f, parts, (low, high) => narrowMask(low, high))];
}
