import { sizeOf } from "../../../../tensor/index.js";
import { type RepeatingPadSpec, repeatingPadCost, repeatingPadSpec } from "../../../specs/move/pad.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { linear, type Piece, type UniformType, unroll, wgsl } from "../../wgsl/index.js";
import { type MovedBytes, perInvocation, rearrangeCode, WORKGROUP } from "./rearrange.js";

/** ONNX Pad by the input's own elements: reflect, edge, wrap. */
const padRepeating: Kernel<RepeatingPadSpec, null> = {
  name: "pad by repeating",
  match: repeatingPadSpec,
  schedules: () => [null],
  lower({ mode, begins, input, output, bytes }, _, node, to) {
    const count = sizeOf(output);
    const uniforms: Record<string, number> = { count };
    begins.forEach((begin, axis) => {
      const end = output[axis]! - input[axis]! - begin;
      uniforms[`from${axis}`] = input[axis]!;
      uniforms[`to${axis}`] = output[axis]!;
      uniforms[`begin${axis}`] = Math.max(0, begin);
      // What is cropped at either end is not repeated at the other.
      uniforms[`first${axis}`] = Math.max(0, -begin);
      uniforms[`kept${axis}`] = input[axis]! + Math.min(0, begin) + Math.min(0, end);
    });
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    const grid = linear(Math.ceil(count / perInvocation(bytes)), WORKGROUP);
    to.launch(padCode(mode, bytes, input.length), bindings, uniforms, grid);
  },
  cost: repeatingPadCost,
};

/** Place `at` of an axis that keeps `kept` elements, counted from the first of them and outside of them, as one that they have. */
const INSIDE: Readonly<Record<RepeatingPadSpec["mode"], Piece>> = {
  edge: "return clamp(at, 0, kept - 1);",
  wrap: "return ((at % kept) + kept) % kept;",
  reflect: wgsl`
    let period = max(2 * (kept - 1), 1);
    let place = ((at % period) + period) % period;
    return select(place, period - place, place >= kept);
  `,
};

function padCode(mode: RepeatingPadSpec["mode"], bytes: MovedBytes, rank: number): ShaderCode {
  const uniforms: Record<string, UniformType> = {};
  for (let axis = 0; axis < rank; axis++) {
    for (const name of ["from", "to", "begin", "first", "kept"]) uniforms[`${name}${axis}`] = "i32";
  }
  return rearrangeCode({
    key: `pad/${mode}${rank}`,
    bytes,
    uniforms,
    source: wgsl`
      fn inside(at: i32, kept: i32) -> i32 {
        if (at >= 0 && at < kept) { return at; }
        ${INSIDE[mode]}
      }
      fn source(e: u32) -> u32 {
        var rest = i32(e);
        var place = 0;
        var step = 1;
        ${unroll(rank, (i) => {
          const axis = rank - 1 - i;
          return wgsl`
            place += (uniforms.first${axis} + inside(rest % uniforms.to${axis} - uniforms.begin${axis}, uniforms.kept${axis})) * step;
            rest = rest / uniforms.to${axis};
            step *= uniforms.from${axis};
          `;
        })}
        return u32(place);
      }
    `,
  });
}

export const padRepeatingKernel: Kernel = anyKernel(padRepeating);
