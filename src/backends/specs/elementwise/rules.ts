import type { Node } from "../../../graph/index.js";
import type { LaneType } from "./lanes.js";
import type { ProgramBuilder } from "./program.js";

/**
 * How each elementwise operator becomes steps: the slot of its result, or null when it has no lanes for these types. Where the result is of a
 * dtype without lanes, the slot has those that a device may compute it with.
 * `attributes` is what the operator in src/ops parses.
 */
type Rule = (
  builder: ProgramBuilder,
  args: readonly (number | null)[],
  // biome-ignore lint/suspicious/noExplicitAny: each rule knows its operator's attributes
  attributes: any,
  node: Node,
) => number | null;

const FLOAT: readonly LaneType[] = ["float32"];
const NUMERIC: readonly LaneType[] = ["float32", "int32", "int64"];

/** The operator's name as a step on `arity` arguments of one of `types`; `params` from the attributes. */
const plain =
  (
    op: string,
    arity: number,
    types: readonly LaneType[],
    // biome-ignore lint/suspicious/noExplicitAny: each rule knows its operator's attributes
    params: (attributes: any) => readonly number[] = () => [],
    result?: LaneType,
  ): Rule =>
  (builder, args, attributes) => {
    if (args.length < arity || args.slice(0, arity).includes(null)) return null;
    const slots = args.slice(0, arity) as number[];
    const dtype = builder.dtype(slots[0]!);
    if (!types.includes(dtype) || slots.some((slot) => builder.dtype(slot) !== dtype)) return null;
    return builder.add(op, slots, result ?? dtype, params(attributes));
  };

/** A binary step over all arguments, two by two. */
const chained =
  (
    op: string,
    types: readonly LaneType[],
    finish?: (builder: ProgramBuilder, sum: number, count: number) => number,
  ): Rule =>
  (builder, args) => {
    const slots = args as number[];
    const dtype = builder.dtype(slots[0]!);
    if (!types.includes(dtype) || args.includes(null) || slots.some((slot) => builder.dtype(slot) !== dtype))
      return null;
    const sum = slots.reduce((a, b) => builder.add(op, [a, b]));
    return finish ? finish(builder, sum, args.length) : sum;
  };

const clip: Rule = (builder, [x, low, high], bounds) => {
  const dtype = builder.dtype(x!);
  if (!NUMERIC.includes(dtype)) return null;
  if (bounds !== null) {
    if (dtype !== "float32") return null;
    return builder.add("Clip", [x!], dtype, [bounds.min, bounds.max]);
  }
  const raised = low == null ? x! : builder.add("AtLeast", [x!, low]);
  return high == null ? builder.add("Identity", [raised]) : builder.add("AtMost", [raised, high]);
};

/** Powers that products and roots give, exactly rounded or nearly so. */
const pow: Rule = (builder, [x, y]) => {
  if (builder.dtype(x!) !== "float32") return null;
  const exponent = builder.constant(y!);
  const square = () => builder.add("Mul", [x!, x!]);
  switch (exponent) {
    case 1:
      return builder.add("Identity", [x!]);
    case 2:
      return square();
    case 3:
      return builder.add("Mul", [square(), x!]);
    case 0.5:
      return builder.add("Sqrt", [x!]);
    case -1:
      return builder.add("Reciprocal", [x!]);
    case -0.5:
      return builder.add("Reciprocal", [builder.add("Sqrt", [x!])]);
    default:
      return builder.dtype(y!) === "float32" ? builder.add("Pow", [x!, y!]) : null;
  }
};

const where: Rule = (builder, [condition, x, y]) =>
  builder.dtype(x!) === builder.dtype(y!) ? builder.add("Where", [condition!, x!, y!], builder.dtype(x!)) : null;

/** What rounds float32 to the numbers that a shorter float has. */
const ROUNDING: Readonly<Record<string, string>> = { float16: "ToFloat16", bfloat16: "ToBfloat16" };
/** Integers that are computed with as int32, and wrap when they are stored. */
const NARROW: readonly string[] = ["int8", "uint8", "int16", "uint16"];

const cast: Rule = (builder, [x], { to }) => {
  const from = builder.dtype(x!);
  const as = (dtype: LaneType) => (dtype === from ? x! : builder.add("Cast", [x!], dtype));
  if (to === from) return builder.add("Identity", [x!]);
  if (ROUNDING[to] !== undefined) return builder.add(ROUNDING[to], [as("float32")]);
  if (NARROW.includes(to)) return builder.add("Identity", [as("int32")]);
  return NUMERIC.includes(to) || to === "bool" ? as(to) : null;
};

const comparison = (op: string): Rule => plain(op, 2, NUMERIC, undefined, "bool");

const floats = (...names: string[]): [string, Rule][] => names.map((name) => [name, plain(name, 1, FLOAT)]);

/** Rules by `operatorKey`. */
export const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...floats("Sqrt", "Exp", "Log", "Reciprocal", "Floor", "Ceil", "Round", "Sin", "Cos", "Tanh", "Erf", "Sigmoid"),
  ...floats("HardSwish", "Softplus", "Softsign", "Mish"),
  ["Relu", plain("Relu", 1, ["float32", "int32"])],
  ["Abs", plain("Abs", 1, NUMERIC)],
  ["Neg", plain("Neg", 1, NUMERIC)],
  ["Sign", plain("Sign", 1, FLOAT)],
  ["LeakyRelu", plain("LeakyRelu", 1, FLOAT, ({ alpha }) => [alpha])],
  ["Elu", plain("Elu", 1, FLOAT, ({ alpha }) => [alpha])],
  ["Celu", plain("Celu", 1, FLOAT, ({ alpha }) => [alpha])],
  ["Selu", plain("Selu", 1, FLOAT, ({ alpha, gamma }) => [alpha, gamma])],
  ["HardSigmoid", plain("HardSigmoid", 1, FLOAT, ({ alpha, beta }) => [alpha, beta])],
  ["ThresholdedRelu", plain("ThresholdedRelu", 1, FLOAT, ({ alpha }) => [alpha])],
  ["Swish", plain("Swish", 1, FLOAT, ({ alpha }) => [alpha])],
  ["Gelu", (b, args, a, node) => plain(a === "tanh" ? "FastGelu" : "Gelu", 1, FLOAT)(b, args, a, node)],
  ["com.microsoft::Gelu", plain("Gelu", 1, FLOAT)],
  [
    "com.microsoft::FastGelu",
    (b, args, a, node) => {
      const [x, bias] = args;
      const sum = bias == null ? x! : plain("Add", 2, FLOAT)(b, args, a, node);
      return sum === null ? null : plain("FastGelu", 1, FLOAT)(b, [sum], a, node);
    },
  ],
  ["com.microsoft::QuickGelu", plain("Swish", 1, FLOAT, ({ alpha }) => [alpha])],
  [
    "com.microsoft::BiasGelu",
    (b, args, a, node) => {
      const sum = plain("Add", 2, FLOAT)(b, args, a, node);
      return sum === null ? null : b.add("Gelu", [sum]);
    },
  ],
  ["Identity", (b, [x]) => b.add("Identity", [x!])],
  ["Clip", clip],
  ["Add", plain("Add", 2, NUMERIC)],
  ["Sub", plain("Sub", 2, NUMERIC)],
  ["Mul", plain("Mul", 2, NUMERIC)],
  ["Div", plain("Div", 2, FLOAT)],
  ["Pow", pow],
  ["PRelu", plain("PRelu", 2, FLOAT)],
  ["Max", chained("Max", NUMERIC)],
  ["Min", chained("Min", NUMERIC)],
  ["Sum", chained("Add", FLOAT)],
  ["Mean", chained("Add", FLOAT, (b, sum, count) => b.add("Div", [sum, b.add("Constant", [], "float32", [count])]))],
  ["Equal", plain("Equal", 2, [...NUMERIC, "bool"], undefined, "bool")],
  ["Less", comparison("Less")],
  ["LessOrEqual", comparison("LessOrEqual")],
  ["Greater", comparison("Greater")],
  ["GreaterOrEqual", comparison("GreaterOrEqual")],
  ["And", plain("And", 2, ["bool"])],
  ["Or", plain("Or", 2, ["bool"])],
  ["Xor", plain("Xor", 2, ["bool"])],
  ["Not", plain("Not", 1, ["bool"])],
  ["IsNaN", plain("IsNaN", 1, FLOAT, undefined, "bool")],
  ["Where", where],
  ["Cast", cast],
]);
