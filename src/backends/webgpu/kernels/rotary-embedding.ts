import { type RotarySpec, rotaryCost, rotarySpec } from "../../specs/rotary-embedding.js";
import { anyKernel, type Kernel, type ShaderCode } from "../kernel.js";
import { input, linear, output, type Storage, shader, wgsl } from "../wgsl/index.js";

const WORKGROUP = 64;
const UNIFORMS = {
  count: "u32",
  middle: "u32",
  last: "u32",
  head_size: "u32",
  size: "u32",
  cached: "u32",
} as const;

/** RotaryEmbedding of ONNX and com.microsoft, float32: an invocation for each element. Positions outside the caches read their first row. */
const rotaryEmbedding: Kernel<RotarySpec, null> = {
  name: "rotary embedding",
  match: rotarySpec,
  schedules: () => [null],
  lower({ positions, interleaved, batch, rows, heads, headSize, size, cached, flat, inputs }, _, node, to) {
    const count = batch * rows * heads * headSize;
    const ids = inputs.ids === null ? {} : { ids: to.buffer(inputs.ids) };
    const bindings: Record<string, ReturnType<typeof to.buffer>> = {
      x: to.buffer(inputs.x),
      cos: to.buffer(inputs.cos),
      sin: to.buffer(inputs.sin),
      ...ids,
      y: to.buffer(node.outputs[0]!),
    };
    // Vectors in memory order: [batch, rows, heads] or [batch, heads, rows].
    const [middle, last] = flat ? [rows, heads] : [heads, rows];
    const uniforms: Record<string, number> = { count, middle, last, head_size: headSize, size, cached };
    to.launch(rotaryCode(positions, interleaved, flat), bindings, uniforms, linear(count, WORKGROUP));
  },
  cost: rotaryCost,
};

const POSITIONS: Readonly<Record<RotarySpec["positions"], string>> = {
  counted: "row_of_all",
  started: "u32(ids[0].x) + row",
  given: "ids[row_of_all].x",
};

function rotaryCode(positions: RotarySpec["positions"], interleaved: boolean, flat: boolean): ShaderCode {
  const bindings: Record<string, Storage> = { x: input("f32"), cos: input("f32"), sin: input("f32") };
  if (positions !== "counted") bindings.ids = input("vec2<u32>");
  bindings.y = output("f32");
  return shader<string, string>({
    key: `rotary/${positions}/${interleaved ? "interleaved" : "halves"}/${flat ? "flat" : "heads"}`,
    workgroup: [WORKGROUP],
    bindings,
    uniforms: UNIFORMS,
    body: (s) => wgsl`
      let e = ${s.index};
      if (e >= uniforms.count) { return; }
      let i = e % uniforms.head_size;
      if (i >= uniforms.size) {
        y[e] = x[e];
        return;
      }
      let vector = e / uniforms.head_size;
      let outer = vector / uniforms.last;
      ${
        flat
          ? wgsl`
              let row = outer % uniforms.middle;
              let row_of_all = outer;
            `
          : wgsl`
              let row = vector % uniforms.last;
              let row_of_all = (outer / uniforms.middle) * uniforms.last + row;
            `
      }
      let wanted = ${POSITIONS[positions]};
      let position = select(0u, wanted, wanted < uniforms.cached);
      let pairs = uniforms.size / 2u;
      let pair = ${interleaved ? "i / 2u" : "i % pairs"};
      let second = ${interleaved ? "(i & 1u) == 1u" : "i >= pairs"};
      let first_at = e - select(0u, ${interleaved ? "1u" : "pairs"}, second);
      let a = x[first_at];
      let b = x[first_at + ${interleaved ? "1u" : "pairs"}];
      let c = cos[position * pairs + pair];
      let s = sin[position * pairs + pair];
      y[e] = select(c * a - s * b, s * a + c * b, second);
    `,
  });
}

export const rotaryEmbeddingKernel: Kernel = anyKernel(rotaryEmbedding);
