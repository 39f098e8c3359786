import {
  type Finish,
  REDUCERS,
  type ReduceSpec,
  reduceCost,
  reduceSpec,
  type Stage,
  type FoldName as TermName,
} from "../../../specs/reduce/reduce.js";
import { anyKernel, type Buffer, type Kernel, type Lowering, type ShaderCode } from "../../kernel.js";
import {
  type ElementName,
  groups,
  input,
  isElementName,
  isFloatName,
  linear,
  output,
  type Piece,
  type Register,
  registerOf,
  shader,
  wgsl,
} from "../../wgsl/index.js";
import { asIfFloat32 } from "../floats.js";
import { mathFunctions } from "../math.js";
import { type FoldName, type Numbers, numbersOf } from "../numbers.js";
import { foldTogether, type RowSchedule, rowScheduleFor, rowSchedules, rowShared, scheduleKey } from "../rows.js";

/** What is folded, and how a term comes from an element. */
interface Fold {
  readonly name: FoldName;
  term(x: Piece, numbers: Numbers): Piece;
}

const same = (x: Piece): Piece => x;
const FOLDS: Readonly<Record<TermName, Fold>> = {
  sum: { name: "sum", term: same },
  abs: { name: "sum", term: (x, numbers) => numbers.absolute(x) },
  square: { name: "sum", term: (x, numbers) => numbers.product(x, x) },
  product: { name: "product", term: same },
  max: { name: "max", term: same },
  min: { name: "min", term: same },
};

const FINISHES: Readonly<Record<Finish, (x: Piece) => Piece>> = {
  none: same,
  scale: (x) => wgsl`${x} * uniforms.scale`,
  sqrt: (x) => wgsl`sqrt(${x})`,
  log: (x) => wgsl`logarithm(${x})`,
};

/** From this length on, a row has a workgroup of its own. */
const LONG = 32;
const WORKGROUP = 64;

/** What a launch folds, and how its elements lie in memory. */
interface Step {
  readonly fold: TermName;
  readonly finish: Finish;
  /** What the finish "scale" multiplies by. */
  readonly scale: number;
  readonly from: ElementName;
  readonly into: ElementName;
}

/** Adds the launch that folds one axis. */
function launchFold(
  to: Lowering,
  { outer, dim, inner }: Stage,
  step: Step,
  x: Buffer,
  y: Buffer,
  given: RowSchedule,
): void {
  const results = outer * inner;
  const rows = inner === 1 && dim >= LONG;
  const uniforms = { results, dim, inner, scale: step.scale };
  const grid = rows ? groups(results) : linear(results, WORKGROUP);
  const schedule = rowScheduleFor(given, numbersOf(step.from));
  to.launch(rows ? rowCode(step, schedule) : resultCode(step), { x, y }, uniforms, grid);
}

/** Registers in memory: what lies between two launches. */
const WHOLE: Readonly<Record<Register, ElementName>> = {
  f32: "float32",
  i32: "int32",
  u32: "uint32",
  "vec2<u32>": "int64",
};

/** ONNX's reductions of floats, and of integers those that need no floats. Integers wrap. */
const reduce: Kernel<ReduceSpec, RowSchedule> = {
  name: "reduce",
  match(node, at) {
    if (node.domain !== "" || REDUCERS[node.op] === undefined) return null;
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    const { dtype } = at.type(x);
    if (!isElementName(dtype)) return null;
    const spec = reduceSpec(node, asIfFloat32(at, [x, y]));
    return spec !== null && (isFloatName(dtype) || REDUCERS[spec.op]!.finish === "none") ? spec : null;
  },
  schedules: (_, device) => rowSchedules(device),
  lower({ op, stages, count }, schedule, node, to) {
    const { fold, again, finish } = REDUCERS[op]!;
    const dtype = to.type(node.inputs[0]!).dtype as ElementName;
    const between = dtype === "uint64" ? dtype : WHOLE[registerOf(dtype)];
    let from = to.buffer(node.inputs[0]!);
    stages.forEach((stage, i) => {
      const [first, last] = [i === 0, i === stages.length - 1];
      const bytes = registerOf(dtype) === "vec2<u32>" ? 8 : 4;
      const target = last ? to.buffer(node.outputs[0]!) : to.scratch(bytes * stage.outer * stage.inner);
      const step: Step = {
        fold: first ? fold : again,
        finish: last ? finish : "none",
        scale: 1 / count,
        from: first ? dtype : between,
        into: last ? dtype : between,
      };
      launchFold(to, stage, step, from, target, schedule);
      from = target;
    });
  },
  cost: reduceCost,
};

const UNIFORMS = { results: "u32", dim: "u32", inner: "u32", scale: "f32" } as const;
type Code = ShaderCode<"x" | "y", keyof typeof UNIFORMS>;

const stepKey = ({ fold, finish, from, into }: Step): string => `${fold}/${finish}/${from}-${into}`;

/** What both shaders call: `logarithm` for floats, arithmetic on 64-bit integers. */
const functionsOf = (numbers: Numbers): Piece =>
  numbers.register === "f32" ? mathFunctions("f32") : numbers.functions;

/** One invocation for each result. */
function resultCode(step: Step): Code {
  const { name, term } = FOLDS[step.fold];
  const numbers = numbersOf(step.from);
  return shader({
    key: `reduce/${stepKey(step)}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(step.from), y: output(step.into) },
    uniforms: UNIFORMS,
    declarations: () => functionsOf(numbers),
    body: (s) => wgsl`
      let result = ${s.index};
      if (result >= ${s.results}) { return; }
      var at = (result / ${s.inner}) * ${s.dim} * ${s.inner} + result % ${s.inner};
      var folded: ${numbers.register} = ${numbers.initial[name]};
      for (var i = 0u; i < ${s.dim}; i++) {
        let element = ${s.x.load("at")};
        folded = ${numbers.join(name, "folded", term("element", numbers))};
        at += ${s.inner};
      }
      ${s.y.store("result", FINISHES[step.finish]("folded"))}
    `,
  });
}

/** One workgroup for each row. */
function rowCode(step: Step, schedule: RowSchedule): Code {
  const { name, term } = FOLDS[step.fold];
  const numbers = numbersOf(step.from);
  return shader({
    key: `reduce/rows/${stepKey(step)}/${scheduleKey(schedule)}`,
    workgroup: [schedule.lanes],
    bindings: { x: input(step.from), y: output(step.into) },
    uniforms: UNIFORMS,
    shared: rowShared(schedule, numbers),
    subgroups: schedule.subgroup,
    declarations: () => [functionsOf(numbers), foldTogether(name, schedule, numbers)],
    body: (s) => wgsl`
      let row = ${s.groupIndex};
      if (row >= ${s.results}) { return; }
      var folded: ${numbers.register} = ${numbers.initial[name]};
      for (var i = ${s.lane}; i < ${s.dim}; i += ${schedule.lanes}u) {
        let element = ${s.x.load(wgsl`row * ${s.dim} + i`)};
        folded = ${numbers.join(name, "folded", term("element", numbers))};
      }
      let whole = together_${name}(${s.lane}, folded);
      if (${s.lane} == 0u) { ${s.y.store("row", FINISHES[step.finish]("whole"))} }
    `,
  });
}

export const reduceKernel: Kernel = anyKernel(reduce);
