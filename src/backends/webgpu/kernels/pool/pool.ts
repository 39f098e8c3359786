import { sizeOf } from "../../../../tensor/index.js";
import type { Triple } from "../../../specs/conv/conv.js";
import { type PoolSpec, poolCost, type Reduction, volumePoolSpec } from "../../../specs/pool/windows.js";
import type { Kernel } from "../../kernel.js";
import { type FloatName, input, linear, output, type Piece, shader, type UniformType, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";

const WORKGROUP = 64;

/** MaxPool and AveragePool over up to three spatial axes: a thread to each output. NaN wins, as in ONNX's evaluation. */
export const pool: Kernel<PoolSpec<Triple>, null> = {
  name: "pool",
  match: (node, at) => volumePoolSpec(node, asFloat32(at)),
  schedules: () => [null],
  lower({ channels, input, output, kernel, strides, dilations, pads, counted, reduction }, _schedule, node, to) {
    const count = channels * sizeOf(output);
    const uniforms: Record<string, number> = { count };
    AXES.forEach((axis, i) => {
      uniforms[`size${axis}`] = input[i]!;
      uniforms[`out${axis}`] = output[i]!;
      uniforms[`kernel${axis}`] = kernel[i]!;
      uniforms[`stride${axis}`] = strides[i]!;
      uniforms[`dilation${axis}`] = dilations[i]!;
      uniforms[`pad${axis}`] = pads[i]!;
      uniforms[`first${axis}`] = -counted.before[i]!;
      uniforms[`end${axis}`] = input[i]! + counted.after[i]!;
    });
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    to.launch(poolCode(floatOf(node.inputs[0]!, to), reduction), bindings, uniforms, linear(count, WORKGROUP));
  },
  cost: poolCost,
};

const AXES = ["Z", "Y", "X"] as const;
const SIGNED = ["size", "kernel", "stride", "dilation", "pad", "first", "end"];
const UNIFORMS: Record<string, UniformType> = {
  count: "u32",
  ...Object.fromEntries(
    AXES.flatMap((axis) => [[`out${axis}`, "u32"], ...SIGNED.map((name) => [`${name}${axis}`, "i32"])]),
  ),
};

/** Taps at places from `first` to `end` of each axis count, whether or not they are elements of x. */
function poolCode(dtype: FloatName, reduction: Reduction) {
  const max = reduction === "max";
  const within = (low: (axis: string) => string, high: string): string =>
    AXES.map((axis) => `place${axis} >= ${low(axis)} && place${axis} < uniforms.${high}${axis}`).join(" && ");
  const eachTap = (axis: (typeof AXES)[number], body: Piece): Piece => wgsl`
    for (var k${axis} = 0; k${axis} < uniforms.kernel${axis}; k${axis}++) {
      let place${axis} = corner${axis} + k${axis} * uniforms.dilation${axis};
      ${body}
    }
  `;
  return shader<"x" | "y", string>({
    key: `pool/${dtype}/${reduction}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: UNIFORMS,
    declarations: () => (max ? MAXIMUM : []),
    body: (s) => wgsl`
      let e = ${s.index};
      if (e >= uniforms.count) { return; }
      var rest = e;
      ${[...AXES].reverse().map(
        (axis) => wgsl`
          let corner${axis} = i32(rest % uniforms.out${axis}) * uniforms.stride${axis} - uniforms.pad${axis};
          rest = rest / uniforms.out${axis};
        `,
      )}
      let base = i32(rest) * uniforms.sizeZ * uniforms.sizeY * uniforms.sizeX;
      ${max ? START : "var result = 0.0f;"}
      ${max ? [] : "var counted = 0;"}
      ${eachTap(
        "Z",
        eachTap(
          "Y",
          eachTap(
            "X",
            wgsl`
              if (${within(() => "0", "size")}) {
                let value = ${s.x.load("u32(base + (placeZ * uniforms.sizeY + placeY) * uniforms.sizeX + placeX)")};
                ${max ? "result = maximum(result, value);" : "result += value;"}
              }
              ${max ? [] : wgsl`counted += select(0, 1, ${within((axis) => `uniforms.first${axis}`, "end")});`}
            `,
          ),
        ),
      )}
      ${s.y.store("e", max ? "result" : "result / f32(counted)")}
    `,
  });
}

/** Where a maximum starts: minus infinity, which WGSL has no constant for. */
export const START = wgsl`var result = bitcast<f32>(0xff800000u | opaque_zero);`;

/** The larger of two, NaN where one of them is. */
export const MAXIMUM = wgsl`
  var<private> opaque_zero: u32 = 0u;
  fn maximum(a: f32, b: f32) -> f32 {
    let numberless = (bitcast<u32>(b) & 0x7fffffffu) > 0x7f800000u;
    let was = (bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u;
    return select(a, b, numberless || (b > a && !was));
  }
`;
