import { sizeOf } from "../../../../tensor/index.js";
import type { Triple } from "../../../specs/conv/conv.js";
import {
  type TransposedConvSpec,
  transposedConvCost,
  transposedVolumeConvSpec,
} from "../../../specs/conv/transposed.js";
import { NO_EPILOGUE } from "../../../specs/matmul/epilogue.js";
import type { Buffer, Kernel, Lowering } from "../../kernel.js";
import { input, linear, output, type Storage, shader, type UniformType, wgsl } from "../../wgsl/index.js";
import { launchTile } from "../matmul/launch.js";
import { tileFor } from "../matmul/schedule.js";

type Spec = TransposedConvSpec<Triple>;

const WORKGROUP = 64;
const MOST_MATRICES = 65535;

/** Bytes of Z: [batch, outputs, kernel positions, input pixels]. */
const partsBytes = ({ batch, outputs, kernel, input }: Spec): number =>
  4 * batch * outputs * sizeOf(kernel) * sizeOf(input);

/**
 * ConvTranspose with a dense constant weight: a product of matrices gives each tap's part of the output, Z [outputs × kernel positions,
 * input pixels] = Wᵀ · x for each image and group, and each output gathers the parts that lie on it (col2im; `torch.nn.Fold`).
 */
export const transposedConv: Kernel<Spec, null> = {
  name: "transposed-conv",
  match(node, at) {
    const spec = transposedVolumeConvSpec(node, at);
    const { maxBufferSize, maxStorageBufferBindingSize } = at.device.limits;
    if (spec === null || partsBytes(spec) > Math.min(maxBufferSize, maxStorageBufferBindingSize)) return null;
    return spec.batch * spec.group <= MOST_MATRICES ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const [x, weight, bias] = node.inputs.map((value) => value && to.buffer(value)) as [Buffer, Buffer, Buffer?];
    const y = to.buffer(node.outputs[0]!);
    const parts = multiplyTaps(spec, x, weight, to);
    const count = spec.batch * spec.outputs * sizeOf(spec.output);
    const bindings: Record<string, Buffer> = { parts, ...(bias ? { bias } : {}), y };
    to.launch(gatherCode(spec.bias), bindings, { count, ...gatherUniforms(spec) }, linear(count, WORKGROUP));
  },
  cost: transposedConvCost,
};

/** Z, in scratch memory. */
function multiplyTaps(spec: Spec, x: Buffer, weight: Buffer, to: Lowering): Buffer {
  const { batch, channels, outputs, group, kernel } = spec;
  const parts = to.scratch(partsBytes(spec));
  const [M, K, N] = [(outputs / group) * sizeOf(kernel), channels / group, sizeOf(spec.input)];
  launchTile(to, {
    ...{ tile: tileFor(M, N, batch * group, to.device), M, K, N, y: parts, yOrder: "feature-major" },
    // The weight is [channels, outputs / group × kernel positions]: a group's part is its Wᵀ, transposed.
    weights: { dense: { buffer: weight, order: "feature-major", batch: [0, 0, K * M] } },
    x: { buffer: x, order: "feature-major", batch: [0, channels * N, K * N] },
    batch: [1, batch, group],
    epilogue: NO_EPILOGUE,
    ...{ bias: null, residual: null, scales: null },
  });
  return parts;
}

const AXES = ["Z", "Y", "X"] as const;

/** For each axis its kernel positions, the sizes of input and output, and how the one lies on the other. */
const gatherUniforms = ({
  outputs,
  kernel,
  input,
  output,
  strides,
  dilations,
  pads,
}: Spec): Record<string, number> => ({
  outputs,
  ...Object.fromEntries(
    AXES.flatMap((axis, i) => [
      [`kernel${axis}`, kernel[i]!],
      [`from${axis}`, input[i]!],
      [`to${axis}`, output[i]!],
      [`stride${axis}`, strides[i]!],
      [`dilation${axis}`, dilations[i]!],
      [`pad${axis}`, pads[i]!],
    ]),
  ),
});

const GATHER_UNIFORMS: Record<string, UniformType> = {
  count: "u32",
  outputs: "u32",
  ...Object.fromEntries(
    AXES.flatMap((axis) => [
      [`kernel${axis}`, "i32"],
      [`from${axis}`, "i32"],
      [`to${axis}`, "u32"],
      [`stride${axis}`, "i32"],
      [`dilation${axis}`, "i32"],
      [`pad${axis}`, "i32"],
    ]),
  ),
};

/** y = bias + the parts that each tap puts there. A thread to each output. */
const gatherCode = (biased: boolean) => {
  /** The loop over an axis's kernel positions k: `from`, the input that position k puts on this output, where there is one. */
  const eachTap = (axis: (typeof AXES)[number], at: string, body: ReturnType<typeof wgsl>) => wgsl`
    for (var k${axis} = 0; k${axis} < uniforms.kernel${axis}; k${axis}++) {
      let shifted${axis} = i32(${at}) + uniforms.pad${axis} - k${axis} * uniforms.dilation${axis};
      let from${axis} = shifted${axis} / uniforms.stride${axis};
      if (shifted${axis} < 0 || from${axis} * uniforms.stride${axis} != shifted${axis} || from${axis} >= uniforms.from${axis}) { continue; }
      ${body}
    }
  `;
  const bindings: Record<string, Storage> = {
    parts: input("f32"),
    ...(biased ? { bias: input("f32") } : {}),
    y: output("f32"),
  };
  return shader({
    key: `conv/gather-taps/${biased ? "bias" : ""}`,
    workgroup: [WORKGROUP],
    bindings,
    uniforms: GATHER_UNIFORMS,
    body: (s) => wgsl`
      let e = ${s.index};
      if (e >= uniforms.count) { return; }
      let column = e % uniforms.toX;
      let row = (e / uniforms.toX) % uniforms.toY;
      let plane = (e / (uniforms.toX * uniforms.toY)) % uniforms.toZ;
      let channel = e / (uniforms.toX * uniforms.toY * uniforms.toZ);
      var sum = ${biased ? "bias[channel % uniforms.outputs]" : "0.0f"};
      ${eachTap(
        "Z",
        "plane",
        eachTap(
          "Y",
          "row",
          eachTap(
            "X",
            "column",
            wgsl`
              let tap = ((i32(channel) * uniforms.kernelZ + kZ) * uniforms.kernelY + kY) * uniforms.kernelX + kX;
              let pixel = (fromZ * uniforms.fromY + fromY) * uniforms.fromX + fromX;
              sum += parts[u32(tap * uniforms.fromZ * uniforms.fromY * uniforms.fromX + pixel)];
            `,
          ),
        ),
      )}
      y[e] = sum;
    `,
  });
};
