import { sizeOf } from "../../../../tensor/index.js";
import { type PoolSpec, poolCost, poolSpec, type Reduction } from "../../../specs/pool/windows.js";
import type { Kernel } from "../../kernel.js";
import { type FloatName, input, linear, output, shader, wgsl } from "../../wgsl/index.js";
import { asFloat32, floatOf } from "../floats.js";

const WORKGROUP = 64;

/** MaxPool and AveragePool over one or two spatial axes: a thread to each output. NaN wins, as in ONNX's evaluation. */
export const pool: Kernel<PoolSpec, null> = {
  name: "pool",
  match: (node, at) => poolSpec(node, asFloat32(at)),
  schedules: () => [null],
  lower({ channels, input, output, kernel, strides, dilations, pads, counted, reduction }, _schedule, node, to) {
    const count = channels * sizeOf(output);
    const uniforms = {
      count,
      height: input[0],
      width: input[1],
      outHeight: output[0],
      outWidth: output[1],
      kernelY: kernel[0],
      kernelX: kernel[1],
      strideY: strides[0],
      strideX: strides[1],
      dilationY: dilations[0],
      dilationX: dilations[1],
      padY: pads[0],
      padX: pads[1],
      top: -counted.before[0],
      bottom: input[0] + counted.after[0],
      left: -counted.before[1],
      right: input[1] + counted.after[1],
    };
    const bindings = { x: to.buffer(node.inputs[0]!), y: to.buffer(node.outputs[0]!) };
    to.launch(poolCode(floatOf(node.inputs[0]!, to), reduction), bindings, uniforms, linear(count, WORKGROUP));
  },
  cost: poolCost,
};

/** Taps at rows [top, bottom) and columns [left, right) count, whether or not they are elements of x. */
const poolCode = (dtype: FloatName, reduction: Reduction) =>
  shader({
    key: `pool/${dtype}/${reduction}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(dtype), y: output(dtype) },
    uniforms: {
      count: "u32",
      height: "i32",
      width: "i32",
      outHeight: "u32",
      outWidth: "u32",
      kernelY: "i32",
      kernelX: "i32",
      strideY: "i32",
      strideX: "i32",
      dilationY: "i32",
      dilationX: "i32",
      padY: "i32",
      padX: "i32",
      top: "i32",
      bottom: "i32",
      left: "i32",
      right: "i32",
    },
    declarations: () => (reduction === "max" ? MAXIMUM : []),
    body: (s) => wgsl`
      let e = ${s.index};
      if (e >= ${s.count}) { return; }
      let plane = e / (${s.outWidth} * ${s.outHeight});
      let first_row = i32((e / ${s.outWidth}) % ${s.outHeight}) * ${s.strideY} - ${s.padY};
      let first_column = i32(e % ${s.outWidth}) * ${s.strideX} - ${s.padX};
      let base = i32(plane) * ${s.height} * ${s.width};
      ${reduction === "max" ? START : "var result = 0.0f;"}
      ${reduction === "max" ? [] : "var counted = 0;"}
      for (var ky = 0; ky < ${s.kernelY}; ky++) {
        let row = first_row + ky * ${s.dilationY};
        for (var kx = 0; kx < ${s.kernelX}; kx++) {
          let column = first_column + kx * ${s.dilationX};
          if (row >= 0 && row < ${s.height} && column >= 0 && column < ${s.width}) {
            let value = ${s.x.load(wgsl`u32(base + row * ${s.width} + column)`)};
            ${reduction === "max" ? "result = maximum(result, value);" : "result += value;"}
          }
          ${
            reduction === "max"
              ? []
              : wgsl`counted += select(0, 1, row >= ${s.top} && row < ${s.bottom} && column >= ${s.left} && column < ${s.right});`
          }
        }
      }
      ${s.y.store("e", reduction === "max" ? "result" : "result / f32(counted)")}
    `,
  });

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
