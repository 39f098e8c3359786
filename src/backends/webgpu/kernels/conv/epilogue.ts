import type { Node } from "../../../../graph/index.js";
import { pixelsOf, type VolumeConvSpec } from "../../../specs/conv/conv.js";
import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import type { Buffer, Lowering } from "../../kernel.js";
import { input, output, type Piece, type Storage, wgsl } from "../../wgsl/index.js";
import { activation, mathFunctions } from "../math.js";

/** How sums of four neighbouring pixels are finished and stored. */
export interface Store {
  readonly epilogue: Epilogue;
  /** Pixels are a multiple of 4: y and the residual are arrays of vectors. */
  readonly vectors: boolean;
}

export const storeOf = (spec: VolumeConvSpec): Store => ({
  epilogue: spec.epilogue,
  vectors: pixelsOf(spec) % 4 === 0,
});

export const storeKey = ({ epilogue, vectors }: Store): string => `${epilogueKey(epilogue)}${vectors ? "/4" : ""}`;

export function storeBindings({ epilogue, vectors }: Store): Record<string, Storage> {
  const type = vectors ? "vec4<f32>" : "f32";
  return {
    ...(epilogue.bias ? { bias: input("f32") } : {}),
    ...(epilogue.residual ? { residual: input(type) } : {}),
    y: output(type),
  };
}

export const storeBuffers = (spec: VolumeConvSpec, node: Node, to: Lowering): Record<string, Buffer> => ({
  ...(spec.epilogue.bias ? { bias: to.buffer(node.inputs[2]!) } : {}),
  ...(spec.epilogue.residual ? { residual: to.buffer(node.inputs[3]!) } : {}),
  y: to.buffer(node.outputs[0]!),
});

/**
 * `store(image, row, pixel, sum)`: finishes four sums of the output channel `row`, from `pixel` on, and stores those that exist. Needs the
 * uniforms `allOutputs` and `pixels`.
 */
export function storeFunction({ epilogue, vectors }: Store): Piece {
  const { bias, activation: name, params, residual } = epilogue;
  const addend = vectors
    ? "let added = residual[at >> 2u];"
    : wgsl`
        var added: vec4<f32>;
        for (var i = 0u; i < count; i++) { added[i] = residual[at + i]; }
      `;
  return wgsl`
    ${name === "" ? [] : mathFunctions("vec4<f32>")}
    fn store(image: u32, row: u32, pixel: u32, sum: vec4<f32>) {
      if (pixel >= uniforms.pixels) { return; }
      let at = (image * uniforms.allOutputs + row) * uniforms.pixels + pixel;
      ${vectors ? [] : "let count = min(4u, uniforms.pixels - pixel);"}
      var v = sum${bias ? " + bias[row]" : ""};
      ${residual === "" ? [] : addend}
      ${residual === "before" ? "v += added;" : []}
      ${name === "" ? [] : wgsl`v = ${activation(name, params, "v", "vec4<f32>")!};`}
      ${residual === "after" ? "v += added;" : []}
      ${vectors ? "y[at >> 2u] = v;" : "for (var i = 0u; i < count; i++) { y[at + i] = v[i]; }"}
    }
  `;
}
