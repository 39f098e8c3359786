import { type LrnSpec, localResponseCost, localResponseSpec } from "../../../specs/normalize/local-response.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { type FloatName, input, linear, output, shader, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";

const WORKGROUP = 64;
const UNIFORMS = {
  count: "u32",
  channels: "i32",
  plane: "u32",
  before: "i32",
  after: "i32",
  alpha: "f32",
  beta: "f32",
  bias: "f32",
} as const;

/** ONNX LRN of floats: each element by the squares of its neighbours in channels. */
const localResponse: Kernel<LrnSpec, null> = {
  name: "local response normalization",
  match: (node, at) => localResponseSpec(node, asFloat32(at)),
  schedules: () => [null],
  lower({ batch, channels, plane, alpha, beta, bias, size }, _, node, to) {
    const count = batch * channels * plane;
    const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    const uniforms = { count, channels, plane, before, after, alpha: alpha / size, beta, bias };
    to.launch(localResponseCode(floatOf(node.inputs[0]!, to)), bindings, uniforms, linear(count, WORKGROUP));
  },
  cost: localResponseCost,
};

const localResponseCode = (dtype: FloatName): ShaderCode<"x" | "y", keyof typeof UNIFORMS> =>
  shader({
    key: `normalize/local-response/${dtype}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: UNIFORMS,
    body: (s) => wgsl`
    let e = ${s.index};
    if (e >= ${s.count}) { return; }
    let channel = i32(e / ${s.plane}) % ${s.channels};
    let first = max(channel - ${s.before}, 0);
    let last = min(channel + ${s.after}, ${s.channels} - 1);
    var squares = 0.0f;
    for (var k = first; k <= last; k++) {
      let neighbour = ${s.x.load(wgsl`u32(i32(e) + (k - channel) * i32(${s.plane}))`)};
      squares += neighbour * neighbour;
    }
    ${s.y.store("e", wgsl`${s.x.load("e")} * pow(${s.bias} + ${s.alpha} * squares, -${s.beta})`)}
  `,
  });

export const localResponseKernel: Kernel = anyKernel(localResponse);
