import { type ArgSpec, argExtremeCost, argExtremeSpec } from "../../../specs/reduce/arg-extreme.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { type ElementName, input, isElementName, linear, output, shader, wgsl } from "../../wgsl/index.js";
import { asIfFloat32 } from "../floats.js";
import { numbersOf } from "../numbers.js";

const WORKGROUP = 64;
const UNIFORMS = { lines: "u32", dim: "u32", inner: "u32" } as const;

/** ONNX ArgMax and ArgMin of numbers along any axis: an invocation for each line; int64. */
const argExtreme: Kernel<ArgSpec, null> = {
  name: "arg extreme",
  match(node, at) {
    if (node.op !== "ArgMax" && node.op !== "ArgMin") return null;
    const x = node.inputs[0]!;
    return isElementName(at.type(x).dtype) ? argExtremeSpec(node, asIfFloat32(at, [x])) : null;
  },
  schedules: () => [null],
  lower({ op, selectLast, outer, dim, inner }, _, node, to) {
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    const lines = outer * inner;
    const dtype = to.type(node.inputs[0]!).dtype as ElementName;
    to.launch(argCode(dtype, op, selectLast), bindings, { lines, dim, inner }, linear(lines, WORKGROUP));
  },
  cost: argExtremeCost,
};

function argCode(
  dtype: ElementName,
  op: ArgSpec["op"],
  selectLast: boolean,
): ShaderCode<"x" | "y", keyof typeof UNIFORMS> {
  const numbers = numbersOf(dtype);
  const better = op === "ArgMax" ? numbers.less("best", "element") : numbers.less("element", "best");
  return shader({
    key: `${op}/${dtype}/${selectLast ? "last" : "first"}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output("vec2<u32>") },
    uniforms: UNIFORMS,
    declarations: () => numbers.functions,
    body: (s) => wgsl`
      let line = ${s.index};
      if (line >= ${s.lines}) { return; }
      var at = (line / ${s.inner}) * ${s.dim} * ${s.inner} + line % ${s.inner};
      var best = ${s.x.load("at")};
      var best_at = 0u;
      for (var i = 1u; i < ${s.dim}; i++) {
        at += ${s.inner};
        let element = ${s.x.load("at")};
        if (${selectLast ? wgsl`${better} || all(element == best)` : better}) {
          best = element;
          best_at = i;
        }
      }
      ${s.y.at("line")} = vec2<u32>(best_at, 0u);
    `,
  });
}

export const argExtremeKernel: Kernel = anyKernel(argExtreme);
