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
import { groups, input, LOWEST, linear, output, type Piece, shader, wgsl } from "../../wgsl/index.js";
import { mathFunctions } from "../math.js";
import {
  type FoldName,
  foldTogether,
  joined,
  type RowSchedule,
  rowSchedules,
  rowShared,
  scheduleKey,
} from "../rows.js";

/** What is folded, from which value on, and how a term comes from an element. */
interface Fold {
  readonly name: FoldName;
  readonly initial: Piece;
  term(x: Piece): Piece;
}

const same = (x: Piece): Piece => x;
const FOLDS: Readonly<Record<TermName, Fold>> = {
  sum: { name: "sum", initial: "0.0f", term: same },
  abs: { name: "sum", initial: "0.0f", term: (x) => wgsl`abs(${x})` },
  square: { name: "sum", initial: "0.0f", term: (x) => wgsl`${x} * ${x}` },
  product: { name: "product", initial: "1.0f", term: same },
  max: { name: "max", initial: LOWEST, term: same },
  min: { name: "min", initial: wgsl`-(${LOWEST})`, term: same },
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

/** Adds the launch that folds one axis; `scale` is what the finish "scale" multiplies by. */
export function launchFold(
  to: Lowering,
  { outer, dim, inner }: Stage,
  how: { readonly fold: TermName; readonly finish: Finish; readonly scale: number },
  x: Buffer,
  y: Buffer,
  schedule: RowSchedule = rowSchedules(to.device)[0],
): void {
  const results = outer * inner;
  const rows = inner === 1 && dim >= LONG;
  const uniforms = { results, dim, inner, scale: how.scale };
  const grid = rows ? groups(results) : linear(results, WORKGROUP);
  to.launch(
    rows ? rowCode(how.fold, how.finish, schedule) : resultCode(how.fold, how.finish),
    { x, y },
    uniforms,
    grid,
  );
}

/** ONNX's reductions of float32. */
const reduce: Kernel<ReduceSpec, RowSchedule> = {
  name: "reduce",
  match: reduceSpec,
  schedules: (_, device) => rowSchedules(device),
  lower({ op, stages, count }, schedule, node, to) {
    const { fold, again, finish } = REDUCERS[op]!;
    let from = to.buffer(node.inputs[0]!);
    stages.forEach((stage, i) => {
      const last = i === stages.length - 1;
      const target = last ? to.buffer(node.outputs[0]!) : to.scratch(4 * stage.outer * stage.inner);
      const how = { fold: i === 0 ? fold : again, finish: last ? finish : ("none" as const), scale: 1 / count };
      launchFold(to, stage, how, from, target, schedule);
      from = target;
    });
  },
  cost: reduceCost,
};

const UNIFORMS = { results: "u32", dim: "u32", inner: "u32", scale: "f32" } as const;

/** One invocation for each result. */
function resultCode(fold: TermName, finish: Finish): ShaderCode<"x" | "y", keyof typeof UNIFORMS> {
  const { name, initial, term } = FOLDS[fold];
  return shader({
    key: `reduce/${fold}/${finish}`,
    workgroup: [WORKGROUP],
    bindings: { x: input("f32"), y: output("f32") },
    uniforms: UNIFORMS,
    declarations: () => mathFunctions("f32"),
    body: (s) => wgsl`
      let result = ${s.index};
      if (result >= ${s.results}) { return; }
      var at = (result / ${s.inner}) * ${s.dim} * ${s.inner} + result % ${s.inner};
      var folded: f32 = ${initial};
      for (var i = 0u; i < ${s.dim}; i++) {
        let element = ${s.x.at("at")};
        folded = ${joined(name, "folded", term("element"))};
        at += ${s.inner};
      }
      ${s.y.at("result")} = ${FINISHES[finish]("folded")};
    `,
  });
}

/** One workgroup for each row. */
function rowCode(fold: TermName, finish: Finish, schedule: RowSchedule): ShaderCode<"x" | "y", keyof typeof UNIFORMS> {
  const { name, initial, term } = FOLDS[fold];
  return shader({
    key: `reduce/rows/${fold}/${finish}/${scheduleKey(schedule)}`,
    workgroup: [schedule.lanes],
    bindings: { x: input("f32"), y: output("f32") },
    uniforms: UNIFORMS,
    shared: rowShared(schedule),
    subgroups: schedule.subgroup,
    declarations: () => [mathFunctions("f32"), foldTogether(name, schedule)],
    body: (s) => wgsl`
      let row = ${s.groupIndex};
      if (row >= ${s.results}) { return; }
      var folded: f32 = ${initial};
      for (var i = ${s.lane}; i < ${s.dim}; i += ${schedule.lanes}u) {
        let element = ${s.x.at(wgsl`row * ${s.dim} + i`)};
        folded = ${joined(name, "folded", term("element"))};
      }
      let whole = together_${name}(${s.lane}, folded);
      if (${s.lane} == 0u) { ${s.y.at("row")} = ${FINISHES[finish]("whole")}; }
    `,
  });
}

export const reduceKernel: Kernel = anyKernel(reduce);
