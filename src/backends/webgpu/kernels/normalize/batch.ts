import { type BatchSpec, batchNormalizationCost, batchNormalizationSpec } from "../../../specs/normalize/batch.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { type FloatName, input, linear, output, shader, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";

const WORKGROUP = 64;

/** ONNX BatchNormalization of floats by given statistics: inference. */
const batchNormalization: Kernel<BatchSpec, null> = {
  name: "normalize batch",
  match: (node, at) => batchNormalizationSpec(node, asFloat32(at)),
  schedules: () => [null],
  lower({ batch, channels, plane, epsilon }, _, node, to) {
    const [x, scale, bias, mean, variance] = node.inputs.map((value) => to.buffer(value!));
    const y = to.buffer(node.outputs[0]!);
    const count = batch * channels * plane;
    const bindings = { x: x!, scale: scale!, bias: bias!, mean: mean!, variance: variance!, y };
    const dtypes = node.inputs.map((value) => floatOf(value!, to));
    to.launch(batchCode(dtypes), bindings, { count, channels, plane, epsilon }, linear(count, WORKGROUP));
  },
  cost: batchNormalizationCost,
};

const UNIFORMS = { count: "u32", channels: "u32", plane: "u32", epsilon: "f32" } as const;

type Code = ShaderCode<"x" | "scale" | "bias" | "mean" | "variance" | "y", keyof typeof UNIFORMS>;

const batchCode = ([x, scale, bias, mean, variance]: readonly FloatName[]): Code =>
  shader({
    key: `normalize/batch/${[x, scale, bias, mean, variance]}`,
    workgroup: [WORKGROUP],
    bindings: {
      x: input(x!),
      scale: input(scale!),
      bias: input(bias!),
      mean: input(mean!),
      variance: input(variance!),
      y: output(x!),
    },
    uniforms: UNIFORMS,
    body: (s) => wgsl`
    let i = ${s.index};
    if (i >= ${s.count}) { return; }
    let channel = (i / ${s.plane}) % ${s.channels};
    let factor = ${s.scale.load("channel")} / sqrt(${s.variance.load("channel")} + ${s.epsilon});
    let centered = ${s.x.load("i")} - ${s.mean.load("channel")};
    ${s.y.store("i", wgsl`centered * factor + ${s.bias.load("channel")}`)}
  `,
  });

export const batchNormalizationKernel: Kernel = anyKernel(batchNormalization);
