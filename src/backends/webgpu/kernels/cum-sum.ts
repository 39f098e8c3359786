import { type CumSumSpec, cumSumCost, cumSumSpec } from "../../specs/cum-sum.js";
import { anyKernel, type Kernel, type ShaderCode } from "../kernel.js";
import { type ElementType, input, linear, output, shader, wgsl } from "../wgsl/index.js";

const WORKGROUP = 64;
const UNIFORMS = { lines: "u32", dim: "u32", inner: "u32" } as const;
const TYPES: Readonly<Record<CumSumSpec["dtype"], ElementType>> = { float32: "f32", int32: "i32", int64: "vec2<u32>" };

/** ONNX CumSum along any axis. */
const cumSum: Kernel<CumSumSpec, null> = {
  name: "cumulative sum",
  match: cumSumSpec,
  schedules: () => [null],
  lower({ dtype, exclusive, reverse, outer, dim, inner }, _, node, to) {
    const lines = outer * inner;
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    to.launch(cumSumCode(dtype, exclusive, reverse), bindings, { lines, dim, inner }, linear(lines, WORKGROUP));
  },
  cost: cumSumCost,
};

const ADD: Readonly<Record<CumSumSpec["dtype"], string>> = {
  float32: "sum += x[at];",
  int32: "sum += x[at];",
  int64: "let low = sum.x + x[at].x; sum = vec2<u32>(low, sum.y + x[at].y + select(0u, 1u, low < sum.x));",
};

function cumSumCode(
  dtype: CumSumSpec["dtype"],
  exclusive: boolean,
  reverse: boolean,
): ShaderCode<"x" | "y", keyof typeof UNIFORMS> {
  const store = "y[at] = sum;";
  return shader({
    key: `cum-sum/${dtype}/${exclusive ? "exclusive" : "inclusive"}/${reverse ? "reverse" : "forward"}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(TYPES[dtype]), y: output(TYPES[dtype]) },
    uniforms: UNIFORMS,
    body: (s) => wgsl`
      let line = ${s.index};
      if (line >= ${s.lines}) { return; }
      let start = (line / ${s.inner}) * ${s.dim} * ${s.inner} + line % ${s.inner};
      var sum = ${TYPES[dtype]}();
      for (var i = 0u; i < ${s.dim}; i++) {
        let at = start + ${reverse ? wgsl`(${s.dim} - 1u - i)` : "i"} * ${s.inner};
        ${exclusive ? [store, ADD[dtype]] : [ADD[dtype], store]}
      }
    `,
  });
}

export const cumSumKernel: Kernel = anyKernel(cumSum);
