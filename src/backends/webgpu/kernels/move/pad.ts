import { sizeOf } from "../../../../tensor/index.js";
import { type PadSpec, padCost, padSpec } from "../../../specs/move/pad.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { linear, type UniformType, unroll, wgsl } from "../../wgsl/index.js";
import { type MovedBytes, NOWHERE, perInvocation, rearrangeCode, WORKGROUP } from "./rearrange.js";

/** ONNX Pad with a constant. */
const pad: Kernel<PadSpec, null> = {
  name: "pad",
  match: padSpec,
  schedules: () => [null],
  lower({ begins, input, output, bytes, fill }, _, node, to) {
    const count = sizeOf(output);
    const uniforms: Record<string, number> = { count };
    begins.forEach((begin, axis) => {
      uniforms[`begin${axis}`] = begin;
      uniforms[`from${axis}`] = input[axis]!;
      uniforms[`to${axis}`] = output[axis]!;
    });
    const given = fill === null ? {} : { fill: to.buffer(fill) };
    const bindings: Record<string, ReturnType<typeof to.buffer>> = {
      x: to.buffer(node.inputs[0]!),
      ...given,
      y: to.buffer(node.outputs[0]!),
    };
    const code = padCode(bytes, input.length, fill === null ? "zero" : "value");
    to.launch(code, bindings, uniforms, linear(Math.ceil(count / perInvocation(bytes)), WORKGROUP));
  },
  cost: padCost,
};

function padCode(bytes: MovedBytes, rank: number, fill: "zero" | "value"): ShaderCode {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  const uniforms = Object.fromEntries(
    axes.flatMap((axis): [string, UniformType][] => [
      [`begin${axis}`, "i32"],
      [`from${axis}`, "i32"],
      [`to${axis}`, "u32"],
    ]),
  );
  return rearrangeCode({
    key: `pad${rank}`,
    bytes,
    uniforms,
    fill,
    source: wgsl`
      fn source(e: u32) -> u32 {
        var rest = e;
        var place = 0;
        var step = 1;
        ${unroll(rank, (i) => {
          const axis = rank - 1 - i;
          return wgsl`
            let c${axis} = i32(rest % uniforms.to${axis}) - uniforms.begin${axis};
            if (c${axis} < 0 || c${axis} >= uniforms.from${axis}) { return ${NOWHERE}; }
            rest = rest / uniforms.to${axis};
            place += c${axis} * step;
            step *= uniforms.from${axis};
          `;
        })}
        return u32(place);
      }
    `,
  });
}

export const padKernel: Kernel = anyKernel(pad);
