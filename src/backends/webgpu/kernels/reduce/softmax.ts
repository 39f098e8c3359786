import { type SoftmaxSpec, softmaxCost, softmaxSpec } from "../../../specs/reduce/softmax.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import {
  type FloatName,
  groups,
  input,
  LOWEST,
  linear,
  output,
  type Piece,
  shader,
  type Wgsl,
  wgsl,
} from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";
import { foldTogether, type RowSchedule, rowSchedules, rowShared, scheduleKey } from "../rows.js";

/** From this length on, a row has a workgroup of its own. */
const LONG = 32;
const WORKGROUP = 64;
const UNIFORMS = { results: "u32", dim: "u32", inner: "u32" } as const;
type Code = ShaderCode<"x" | "y", keyof typeof UNIFORMS>;

/** ONNX Softmax and LogSoftmax of floats: a workgroup for each long row, or an invocation for each line. */
const softmax: Kernel<SoftmaxSpec, RowSchedule> = {
  name: "softmax",
  match: (node, at) => softmaxSpec(node, asFloat32(at)),
  schedules: (_, device) => rowSchedules(device),
  lower({ outer, dim, inner, log }, schedule, node, to) {
    const results = dim === 0 ? 0 : outer * inner;
    const dtype = floatOf(node.inputs[0]!, to);
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    const rows = inner === 1 && dim >= LONG;
    const grid = rows ? groups(results) : linear(results, WORKGROUP);
    to.launch(rows ? rowCode(dtype, log, schedule) : lineCode(dtype, log), bindings, { results, dim, inner }, grid);
  },
  cost: softmaxCost,
};

/** An element's result by the largest element and the sum of all exponentials below it. */
const finished = (log: boolean, x: Piece): Wgsl => (log ? wgsl`${x} - most - log(sum)` : wgsl`exp(${x} - most) / sum`);

const rowCode = (dtype: FloatName, log: boolean, schedule: RowSchedule): Code =>
  shader({
    key: `softmax/rows/${dtype}/${log}/${scheduleKey(schedule)}`,
    workgroup: [schedule.lanes],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: UNIFORMS,
    shared: rowShared(schedule),
    subgroups: schedule.subgroup,
    declarations: () => [foldTogether("max", schedule), foldTogether("sum", schedule)],
    body: (s) => wgsl`
      let row = ${s.groupIndex};
      if (row >= ${s.results}) { return; }
      let start = row * ${s.dim};
      var largest = ${LOWEST};
      for (var i = ${s.lane}; i < ${s.dim}; i += ${schedule.lanes}u) {
        largest = max(largest, ${s.x.load("start + i")});
      }
      let most = together_max(${s.lane}, largest);
      var share = 0.0f;
      for (var i = ${s.lane}; i < ${s.dim}; i += ${schedule.lanes}u) {
        share += exp(${s.x.load("start + i")} - most);
      }
      let sum = together_sum(${s.lane}, share);
      for (var i = ${s.lane}; i < ${s.dim}; i += ${schedule.lanes}u) {
        ${s.y.store("start + i", finished(log, s.x.load("start + i")))}
      }
    `,
  });

const lineCode = (dtype: FloatName, log: boolean): Code =>
  shader({
    key: `softmax/lines/${dtype}/${log}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: UNIFORMS,
    body: (s) => wgsl`
      let line = ${s.index};
      if (line >= ${s.results}) { return; }
      let start = (line / ${s.inner}) * ${s.dim} * ${s.inner} + line % ${s.inner};
      let end = start + ${s.dim} * ${s.inner};
      var most = ${LOWEST};
      for (var at = start; at < end; at += ${s.inner}) { most = max(most, ${s.x.load("at")}); }
      var sum = 0.0f;
      for (var at = start; at < end; at += ${s.inner}) { sum += exp(${s.x.load("at")} - most); }
      for (var at = start; at < end; at += ${s.inner}) { ${s.y.store("at", finished(log, s.x.load("at")))} }
    `,
  });

export const softmaxKernel: Kernel = anyKernel(softmax);
