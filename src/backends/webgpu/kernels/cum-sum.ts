import { type CumSumSpec, cumSumCost, cumSumSpec } from "../../specs/cum-sum.js";
import { anyKernel, type Kernel, type ShaderCode } from "../kernel.js";
import { type ElementName, input, isElementName, linear, output, shader, wgsl } from "../wgsl/index.js";
import { asIfFloat32 } from "./floats.js";
import { numbersOf } from "./numbers.js";

const WORKGROUP = 64;
const UNIFORMS = { lines: "u32", dim: "u32", inner: "u32" } as const;

/** ONNX CumSum along any axis. */
const cumSum: Kernel<CumSumSpec, null> = {
  name: "cumulative sum",
  match(node, at) {
    if (node.op !== "CumSum") return null;
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    return isElementName(at.type(x).dtype) ? cumSumSpec(node, asIfFloat32(at, [x, y])) : null;
  },
  schedules: () => [null],
  lower({ exclusive, reverse, outer, dim, inner }, _, node, to) {
    const dtype = to.type(node.inputs[0]!).dtype as ElementName;
    const lines = outer * inner;
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    to.launch(cumSumCode(dtype, exclusive, reverse), bindings, { lines, dim, inner }, linear(lines, WORKGROUP));
  },
  cost: cumSumCost,
};

function cumSumCode(
  dtype: ElementName,
  exclusive: boolean,
  reverse: boolean,
): ShaderCode<"x" | "y", keyof typeof UNIFORMS> {
  const numbers = numbersOf(dtype);
  return shader({
    key: `cum-sum/${dtype}/${exclusive ? "exclusive" : "inclusive"}/${reverse ? "reverse" : "forward"}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: UNIFORMS,
    declarations: () => numbers.functions,
    body: (s) => {
      const store = s.y.store("at", "sum");
      const add = wgsl`sum = ${numbers.join("sum", "sum", s.x.load("at"))};`;
      return wgsl`
      let line = ${s.index};
      if (line >= ${s.lines}) { return; }
      let start = (line / ${s.inner}) * ${s.dim} * ${s.inner} + line % ${s.inner};
      var sum = ${numbers.register}();
      for (var i = 0u; i < ${s.dim}; i++) {
        let at = start + ${reverse ? wgsl`(${s.dim} - 1u - i)` : "i"} * ${s.inner};
        ${exclusive ? [store, add] : [add, store]}
      }
    `;
    },
  });
}

export const cumSumKernel: Kernel = anyKernel(cumSum);
