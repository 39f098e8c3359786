import { type AxisStep, type ResizeSpec, resizeCost, resizeSpec } from "../../../specs/resize.js";
import { anyKernel, type Buffer, type Kernel, type Lowering } from "../../kernel.js";
import { input, linear, output, shader, wgsl } from "../../wgsl/index.js";
import { type MovedBytes, perInvocation, rearrangeCode, WORKGROUP } from "../move/rearrange.js";

/** ONNX Resize, axis by axis: any elements by nearest neighbour, float32 by linear and cubic interpolation. */
const resize: Kernel<ResizeSpec, null> = {
  name: "resize",
  match: resizeSpec,
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { bytes, nearest, steps } = spec;
    let from = to.buffer(node.inputs[0]!);
    steps.forEach((step, i) => {
      const { outer, output, inner } = step;
      const last = i === steps.length - 1;
      const target = last ? to.buffer(node.outputs[0]!) : to.scratch(bytes * outer * output * inner);
      (nearest ? take : blend)(spec, step, from, target, to);
      from = target;
    });
  },
  cost: resizeCost,
};

/** Output position j of the axis is the input's position indices[j]. */
function take({ bytes, given }: ResizeSpec, step: AxisStep, x: Buffer, y: Buffer, to: Lowering): void {
  const { outer, input, output, weights } = step;
  const vectors = bytes === 4 && step.inner % 4 === 0;
  const moved: MovedBytes = vectors ? 16 : bytes;
  const inner = vectors ? step.inner / 4 : step.inner;
  const indices = to.prepared(given, `resize/take/${step.key}`, 4 * output, (target) => {
    target.set(new Uint8Array(weights.indices.buffer, weights.indices.byteOffset, 4 * output));
  });
  const count = outer * output * inner;
  const grid = linear(Math.ceil(count / perInvocation(moved)), WORKGROUP);
  to.launch(takeCode(moved), { x, indices, y }, { count, input, output, inner }, grid);
}

const takeCode = (bytes: MovedBytes) =>
  rearrangeCode({
    key: "resize/take",
    bytes,
    uniforms: { input: "u32", output: "u32", inner: "u32" },
    bindings: { indices: input("u32") },
    source: wgsl`
      fn source(e: u32) -> u32 {
        let line = e / uniforms.inner;
        let first = (line / uniforms.output) * uniforms.input;
        return (first + indices[line % uniforms.output]) * uniforms.inner + e % uniforms.inner;
      }
    `,
  });

/** Output position j of the axis is the sum of the inputs at its taps' indices times their weights. */
function blend({ given }: ResizeSpec, step: AxisStep, x: Buffer, y: Buffer, to: Lowering): void {
  const { outer, input, output, inner, weights } = step;
  const { taps } = weights;
  const table = to.prepared(given, `resize/blend/${step.key}`, 8 * output * taps, (target) => {
    const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
    weights.indices.forEach((index, i) => {
      view.setUint32(8 * i, index, true);
      view.setFloat32(8 * i + 4, weights.weights[i]!, true);
    });
  });
  const count = outer * output * inner;
  to.launch(BLEND, { x, table, y }, { count, input, output, inner, taps }, linear(count, WORKGROUP));
}

const BLEND = shader({
  key: "resize/blend",
  workgroup: [WORKGROUP],
  bindings: { x: input("f32"), table: input("vec2<u32>"), y: output("f32") },
  uniforms: { count: "u32", input: "u32", output: "u32", inner: "u32", taps: "u32" },
  body: (s) => wgsl`
    let e = ${s.index};
    if (e >= ${s.count}) { return; }
    let line = e / ${s.inner};
    let first = (line / ${s.output}) * ${s.input};
    let entry = (line % ${s.output}) * ${s.taps};
    var sum = 0.0f;
    for (var k = 0u; k < ${s.taps}; k++) {
      let tap = ${s.table.at("entry + k")};
      sum += bitcast<f32>(tap.y) * ${s.x.at(wgsl`(first + tap.x) * ${s.inner} + e % ${s.inner}`)};
    }
    ${s.y.at("e")} = sum;
  `,
});

export const resizeKernel: Kernel = anyKernel(resize);
