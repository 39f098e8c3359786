import { convCost, type VolumeConvSpec, volumeConvSpec } from "../../../specs/conv/conv.js";
import type { Kernel, ShaderCode } from "../../kernel.js";
import { input, shader, wgsl } from "../../wgsl/index.js";
import { type Store, storeBindings, storeBuffers, storeFunction, storeKey, storeOf } from "./epilogue.js";
import { TILE_UNIFORMS, type TileUniform, tapsOf, tileUniforms } from "./tile.js";
import { type Space, spaceOf, windowFunctions } from "./window.js";

/** With more outputs in a group than this, tiles share what they read. */
const MOST_OUTPUTS = 4;
const WORKGROUP = 64;

/** Conv of few outputs a group, depthwise ones first of all: each thread makes four pixels of one output channel, straight from memory. */
export const directConv: Kernel<VolumeConvSpec, null> = {
  name: "direct-conv",
  match(node, at) {
    const spec = volumeConvSpec(node, at);
    return spec !== null && spec.outputs / spec.group <= MOST_OUTPUTS ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const [x, weight] = node.inputs;
    const uniforms = tileUniforms(spec, 1, 1);
    const inputs = { x: to.buffer(x!), w: to.buffer(weight!), taps: tapsOf(spec, uniforms.K, weight!, to) };
    to.launch(directCode(spaceOf(spec), storeOf(spec)), { ...inputs, ...storeBuffers(spec, node, to) }, uniforms, [
      Math.ceil(uniforms.pixels / (4 * WORKGROUP)),
      spec.outputs,
      spec.batch,
    ]);
  },
  cost: convCost,
};

const directCode = (space: Space, store: Store): ShaderCode<string, TileUniform> =>
  shader<string, TileUniform>({
    key: `conv/direct/${space}/${storeKey(store)}`,
    workgroup: [WORKGROUP],
    bindings: { x: input("f32"), w: input("f32"), taps: input("vec4<i32>"), ...storeBindings(store) },
    uniforms: TILE_UNIFORMS,
    declarations: () => [windowFunctions(space), storeFunction(store)],
    body: (s) => wgsl`
      let pixel = 4u * ${s.global.x};
      if (pixel >= uniforms.pixels) { return; }
      let row = group_id.y;
      let x_base = group_id.z * uniforms.image + (row / uniforms.outputs) * uniforms.groupImage;
      let corners = four_origins(pixel);
      var sum = vec4<f32>();
      for (var k = 0u; k < uniforms.K; k++) {
        sum = fma(vec4<f32>(w[row * uniforms.K + k]), fetch_four(x_base, corners, taps[k]), sum);
      }
      store(group_id.z, row, pixel, sum);
    `,
  });
