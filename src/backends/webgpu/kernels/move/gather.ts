import { type GatherSpec, gatherCost, gatherSpec } from "../../../specs/move/gather.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { input, linear, wgsl } from "../../wgsl/index.js";
import { type MovedBytes, perInvocation, rearrangeCode, WORKGROUP } from "./rearrange.js";

/** ONNX Gather: of 64-bit indices the low words. Indices outside read the axis's first element, as on WebAssembly. */
const gather: Kernel<GatherSpec, null> = {
  name: "gather",
  match: gatherSpec,
  schedules: () => [null],
  lower({ outer, dim, count, run, bytes, indexType }, _, node, to) {
    const [x, indices] = node.inputs.map((value) => to.buffer(value!));
    const vectors = bytes === 4 && run % 4 === 0;
    const moved: MovedBytes = vectors ? 16 : bytes;
    const each = vectors ? run / 4 : run;
    const uniforms = { count: outer * count * each, dim, indices_count: count, run: each };
    const grid = linear(Math.ceil(uniforms.count / perInvocation(moved)), WORKGROUP);
    const bindings = { x: x!, indices: indices!, y: to.buffer(node.outputs[0]!) };
    to.launch(gatherCode(moved, indexType === "int64" ? 2 : 1), bindings, uniforms, grid);
  },
  cost: gatherCost,
};

const gatherCode = (bytes: MovedBytes, indexWords: 1 | 2): ShaderCode =>
  rearrangeCode({
    key: `gather/${indexWords}`,
    bytes,
    uniforms: { dim: "u32", indices_count: "u32", run: "u32" },
    bindings: { indices: input("i32") },
    source: wgsl`
      fn source(e: u32) -> u32 {
        let row = e / uniforms.run;
        let given = indices[${indexWords}u * (row % uniforms.indices_count)];
        let counted = select(given, given + i32(uniforms.dim), given < 0);
        let index = select(0u, u32(counted), counted >= 0 && counted < i32(uniforms.dim));
        return ((row / uniforms.indices_count) * uniforms.dim + index) * uniforms.run + e % uniforms.run;
      }
    `,
  });

export const gatherKernel: Kernel = anyKernel(gather);
