import { type BatchSpec, batchNormalizationCost, batchNormalizationSpec } from "../../../specs/normalize/batch.js";
import { anyKernel, type Kernel, type ShaderCode } from "../../kernel.js";
import { input, linear, output, shader, wgsl } from "../../wgsl/index.js";

const WORKGROUP = 64;

/** ONNX BatchNormalization of float32 by given statistics: inference. */
const batchNormalization: Kernel<BatchSpec, null> = {
  name: "normalize batch",
  match: batchNormalizationSpec,
  schedules: () => [null],
  lower({ batch, channels, plane, epsilon }, _, node, to) {
    const [x, scale, bias, mean, variance] = node.inputs.map((value) => to.buffer(value!));
    const y = to.buffer(node.outputs[0]!);
    const count = batch * channels * plane;
    const bindings = { x: x!, scale: scale!, bias: bias!, mean: mean!, variance: variance!, y };
    to.launch(batchCode, bindings, { count, channels, plane, epsilon }, linear(count, WORKGROUP));
  },
  cost: batchNormalizationCost,
};

const UNIFORMS = { count: "u32", channels: "u32", plane: "u32", epsilon: "f32" } as const;

const batchCode: ShaderCode<"x" | "scale" | "bias" | "mean" | "variance" | "y", keyof typeof UNIFORMS> = shader({
  key: "normalize/batch",
  workgroup: [WORKGROUP],
  bindings: {
    x: input("f32"),
    scale: input("f32"),
    bias: input("f32"),
    mean: input("f32"),
    variance: input("f32"),
    y: output("f32"),
  },
  uniforms: UNIFORMS,
  body: (s) => wgsl`
    let i = ${s.index};
    if (i >= ${s.count}) { return; }
    let channel = (i / ${s.plane}) % ${s.channels};
    let factor = ${s.scale.at("channel")} / sqrt(${s.variance.at("channel")} + ${s.epsilon});
    ${s.y.at("i")} = (${s.x.at("i")} - ${s.mean.at("channel")}) * factor + ${s.bias.at("channel")};
  `,
});

export const batchNormalizationKernel: Kernel = anyKernel(batchNormalization);
