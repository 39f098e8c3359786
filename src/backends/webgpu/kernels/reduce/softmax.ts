import { type SoftmaxSpec, softmaxKernel as wasm } from "../../../wasm/kernels/reduce/softmax.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { groups, input, LOWEST, linear, output, type Piece, shader, type Wgsl, wgsl } from "../../wgsl/index.js";
import { foldTogether, ROW_SHARED, ROW_WORKGROUP } from "../rows.js";
import { specOf } from "../same-spec.js";

const WORKGROUP = 64;
const UNIFORMS = { results: "u32", dim: "u32", inner: "u32" } as const;
type Code = ShaderCode<"x" | "y", keyof typeof UNIFORMS>;

/** ONNX Softmax and LogSoftmax of float32: a workgroup for each row, or an invocation for each line across them. */
const softmax: Kernel<SoftmaxSpec, null> = {
  name: "softmax",
  match: (node, at) => specOf<SoftmaxSpec>(wasm, node, at),
  schedules: () => [null],
  lower({ outer, dim, inner, log }, _, node, to) {
    const results = dim === 0 ? 0 : outer * inner;
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    const grid = inner === 1 ? groups(results) : linear(results, WORKGROUP);
    to.launch(inner === 1 ? rowCode(log) : lineCode(log), bindings, { results, dim, inner }, grid);
  },
  cost: (spec) => wasm.cost(spec),
};

/** An element's result by the largest element and the sum of all exponentials below it. */
const finished = (log: boolean, x: Piece): Wgsl => (log ? wgsl`${x} - most - log(sum)` : wgsl`exp(${x} - most) / sum`);

const rowCode = (log: boolean): Code =>
  shader({
    key: `softmax/rows/${log}`,
    workgroup: [ROW_WORKGROUP],
    bindings: { x: input("f32"), y: output("f32") },
    uniforms: UNIFORMS,
    shared: ROW_SHARED,
    declarations: () => [foldTogether("max"), foldTogether("sum")],
    body: (s) => wgsl`
      let row = ${s.groupIndex};
      if (row >= ${s.results}) { return; }
      let start = row * ${s.dim};
      var largest = ${LOWEST};
      for (var i = ${s.lane}; i < ${s.dim}; i += ${ROW_WORKGROUP}u) {
        largest = max(largest, ${s.x.at("start + i")});
      }
      let most = together_max(${s.lane}, largest);
      var share = 0.0f;
      for (var i = ${s.lane}; i < ${s.dim}; i += ${ROW_WORKGROUP}u) {
        share += exp(${s.x.at("start + i")} - most);
      }
      let sum = together_sum(${s.lane}, share);
      for (var i = ${s.lane}; i < ${s.dim}; i += ${ROW_WORKGROUP}u) {
        ${s.y.at("start + i")} = ${finished(log, s.x.at("start + i"))};
      }
    `,
  });

const lineCode = (log: boolean): Code =>
  shader({
    key: `softmax/lines/${log}`,
    workgroup: [WORKGROUP],
    bindings: { x: input("f32"), y: output("f32") },
    uniforms: UNIFORMS,
    body: (s) => wgsl`
      let line = ${s.index};
      if (line >= ${s.results}) { return; }
      let start = (line / ${s.inner}) * ${s.dim} * ${s.inner} + line % ${s.inner};
      let end = start + ${s.dim} * ${s.inner};
      var most = ${LOWEST};
      for (var at = start; at < end; at += ${s.inner}) { most = max(most, ${s.x.at("at")}); }
      var sum = 0.0f;
      for (var at = start; at < end; at += ${s.inner}) { sum += exp(${s.x.at("at")} - most); }
      for (var at = start; at < end; at += ${s.inner}) { ${s.y.at("at")} = ${finished(log, s.x.at("at"))}; }
    `,
  });

export const softmaxKernel: Kernel = anyKernel(softmax);
