import { type ArgSpec, argExtremeCost, argExtremeSpec } from "../../../specs/reduce/arg-extreme.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { input, linear, output, shader, wgsl } from "../../wgsl/index.js";

const WORKGROUP = 64;
const UNIFORMS = { lines: "u32", dim: "u32", inner: "u32" } as const;

/** ONNX ArgMax and ArgMin of float32 along any axis: an invocation for each line; int64. */
const argExtreme: Kernel<ArgSpec, null> = {
  name: "arg extreme",
  match: argExtremeSpec,
  schedules: () => [null],
  lower({ op, selectLast, outer, dim, inner }, _, node, to) {
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    const lines = outer * inner;
    to.launch(argCode(op, selectLast), bindings, { lines, dim, inner }, linear(lines, WORKGROUP));
  },
  cost: argExtremeCost,
};

const argCode = (op: ArgSpec["op"], selectLast: boolean): ShaderCode<"x" | "y", keyof typeof UNIFORMS> =>
  shader({
    key: `${op}/${selectLast ? "last" : "first"}`,
    workgroup: [WORKGROUP],
    bindings: { x: input("f32"), y: output("vec2<u32>") },
    uniforms: UNIFORMS,
    body: (s) => wgsl`
      let line = ${s.index};
      if (line >= ${s.lines}) { return; }
      var at = (line / ${s.inner}) * ${s.dim} * ${s.inner} + line % ${s.inner};
      var best = ${s.x.at("at")};
      var best_at = 0u;
      for (var i = 1u; i < ${s.dim}; i++) {
        at += ${s.inner};
        let element = ${s.x.at("at")};
        if (element ${op === "ArgMax" ? ">" : "<"}${selectLast ? "=" : ""} best) {
          best = element;
          best_at = i;
        }
      }
      ${s.y.at("line")} = vec2<u32>(best_at, 0u);
    `,
  });

export const argExtremeKernel: Kernel = anyKernel(argExtreme);
