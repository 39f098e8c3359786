import type { Value } from "../../../../graph/index.js";
import { type GatherSpec, gatherCost, gatherSpec } from "../../../specs/move/gather.js";
import { anyKernel, type Kernel, type Lowering, largestBuffer, type ShaderCode } from "../../kernel.js";
import { input, linear, type Wgsl, wgsl } from "../../wgsl/index.js";
import { ALIGNED_ROWS, denseParts } from "../parts.js";
import { type MovedBytes, NOWHERE, perInvocation, rearrangeCode, WORKGROUP } from "./rearrange.js";

/**
 * ONNX Gather: of 64-bit indices the low words. Indices outside read the axis's first element, as on WebAssembly. Of a constant too large
 * for one buffer, each part is a launch that brings what lies in it.
 */
const gather: Kernel<GatherSpec, null> = {
  name: "gather",
  match: gatherSpec,
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { outer, dim, count, run, bytes, indexType } = spec;
    const [table, given] = node.inputs as [Value, Value];
    const [indices, y] = [to.buffer(given), to.buffer(node.outputs[0]!)];
    const vectors = bytes === 4 && run % 4 === 0;
    const moved: MovedBytes = vectors ? 16 : bytes;
    const each = vectors ? run / 4 : run;
    const indexWords = indexType === "int64" ? 2 : 1;
    const uniforms = { count: outer * count * each, dim, indices_count: count, run: each };
    const grid = linear(Math.ceil(uniforms.count / perInvocation(moved)), WORKGROUP);
    if (isWhole(spec, table, to)) {
      to.launch(gatherCode(moved, indexWords), { x: to.buffer(table), indices, y }, uniforms, grid);
      return;
    }
    const rowBytes = run * bytes;
    const together = ALIGNED_ROWS * rowBytes <= largestBuffer(to.device) ? ALIGNED_ROWS : 1;
    for (const { begin, end, buffer } of denseParts(to, table, [dim, rowBytes], together)) {
      const part = { ...uniforms, first: begin, rows: end - begin };
      to.launch(partCode(moved, indexWords, begin > 0), { x: buffer, indices, y }, part, grid);
    }
  },
  cost: gatherCost,
};

/** Whether x is read as a whole: all but constants that are too large for one buffer. */
const isWhole = ({ outer, dim, run, bytes }: GatherSpec, x: Value, to: Lowering): boolean =>
  to.constant(x) === undefined || outer !== 1 || dim * run * bytes <= largestBuffer(to.device);

/** The index of row `row` of the output, along the axis. */
const indexText = (indexWords: 1 | 2): Wgsl => wgsl`
  let given = indices[${indexWords}u * (row % uniforms.indices_count)];
  let counted = select(given, given + i32(uniforms.dim), given < 0);
  let index = select(0u, u32(counted), counted >= 0 && counted < i32(uniforms.dim));
`;

const gatherCode = (bytes: MovedBytes, indexWords: 1 | 2): ShaderCode =>
  rearrangeCode({
    key: `gather/${indexWords}`,
    bytes,
    uniforms: { dim: "u32", indices_count: "u32", run: "u32" },
    bindings: { indices: input("i32") },
    source: wgsl`
      fn source(e: u32) -> u32 {
        let row = e / uniforms.run;
        ${indexText(indexWords)}
        return ((row / uniforms.indices_count) * uniforms.dim + index) * uniforms.run + e % uniforms.run;
      }
    `,
  });

/** Elements whose indices lie in a part of x, zeros for the others, which other launches make. */
const partCode = (bytes: MovedBytes, indexWords: 1 | 2, merge: boolean): ShaderCode =>
  rearrangeCode({
    key: `gather/part/${indexWords}`,
    bytes,
    uniforms: { dim: "u32", indices_count: "u32", run: "u32", first: "u32", rows: "u32" },
    bindings: { indices: input("i32") },
    fill: "zero",
    merge,
    source: wgsl`
      fn source(e: u32) -> u32 {
        let row = e / uniforms.run;
        ${indexText(indexWords)}
        if (index < uniforms.first || index - uniforms.first >= uniforms.rows) { return ${NOWHERE}; }
        return (index - uniforms.first) * uniforms.run + e % uniforms.run;
      }
    `,
  });

export const gatherKernel: Kernel = anyKernel(gather);
