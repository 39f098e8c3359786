import type { VolumeConvSpec } from "../../../specs/conv/conv.js";
import { type Piece, type UniformType, wgsl } from "../../wgsl/index.js";

/** Where windows slide: over planes [height, width], or over volumes of several of them. */
export type Space = "plane" | "volume";

export const spaceOf = ({ input, output, kernel, pads }: VolumeConvSpec): Space =>
  input[0] === 1 && output[0] === 1 && kernel[0] === 1 && pads[0] === 0 ? "plane" : "volume";

export const WINDOW_UNIFORMS = {
  depth: "u32",
  height: "u32",
  width: "u32",
  outHeight: "u32",
  outWidth: "u32",
  strideZ: "i32",
  strideY: "i32",
  strideX: "i32",
  padZ: "i32",
  padY: "i32",
  padX: "i32",
} as const satisfies Record<string, UniformType>;

export const windowUniforms = ({ input, output, strides, pads }: VolumeConvSpec) => ({
  depth: input[0],
  height: input[1],
  width: input[2],
  outHeight: output[1],
  outWidth: output[2],
  strideZ: strides[0],
  strideY: strides[1],
  strideX: strides[2],
  padZ: pads[0],
  padY: pads[1],
  padX: pads[2],
});

/**
 * `origin(pixel)`: row and column of x where the window of an output pixel begins, how far that is from the channel's first element, and the
 * window's first plane.
 */
const originFunction = (space: Space): Piece => wgsl`
  fn origin(pixel: u32) -> vec4<i32> {
    let line = pixel / uniforms.outWidth;
    let x = i32(pixel % uniforms.outWidth) * uniforms.strideX - uniforms.padX;
    ${
      space === "plane"
        ? wgsl`
            let y = i32(line) * uniforms.strideY - uniforms.padY;
            return vec4<i32>(y, x, y * i32(uniforms.width) + x, 0);
          `
        : wgsl`
            let y = i32(line % uniforms.outHeight) * uniforms.strideY - uniforms.padY;
            let z = i32(line / uniforms.outHeight) * uniforms.strideZ - uniforms.padZ;
            return vec4<i32>(y, x, (z * i32(uniforms.height) + y) * i32(uniforms.width) + x, z);
          `
    }
  }
`;

/**
 * `fetch(base, corner, tap)`: the element of x that the tap (row, column, element, plane, all counted from the window's beginning) of the
 * window at `corner` is on, zero outside; `base` is the first channel's place. `four_origins` and `fetch_four` do it for four pixels on end.
 */
export const windowFunctions = (space: Space): Piece => wgsl`
  ${originFunction(space)}
  fn fetch(base: u32, corner: vec4<i32>, tap: vec4<i32>) -> f32 {
    let at = corner + tap;
    let inside = u32(at.x) < uniforms.height && u32(at.y) < uniforms.width${space === "plane" ? "" : " && u32(at.w) < uniforms.depth"};
    return select(0.0f, x[select(0u, u32(i32(base) + at.z), inside)], inside);
  }
  fn fetch_four(base: u32, corners: array<vec4<i32>, 4>, tap: vec4<i32>) -> vec4<f32> {
    return vec4<f32>(fetch(base, corners[0], tap), fetch(base, corners[1], tap), fetch(base, corners[2], tap), fetch(base, corners[3], tap));
  }
  fn four_origins(pixel: u32) -> array<vec4<i32>, 4> {
    return array<vec4<i32>, 4>(origin(pixel), origin(pixel + 1u), origin(pixel + 2u), origin(pixel + 3u));
  }
`;

/** A row that is outside of every plane. */
const OUTSIDE = 2 ** 30;

/**
 * The taps of a group's weights [channels, kernel depth, height, width] in their order, four int32 each, as `fetch` wants them; then
 * `count` in all, the rest outside.
 */
export function tapTable(spec: VolumeConvSpec, count: number): Int32Array {
  const { channels, group, input, kernel, dilations } = spec;
  const [depth, height, width] = input;
  const table = new Int32Array(4 * count).fill(OUTSIDE);
  let at = 0;
  for (let c = 0; c < channels / group; c++) {
    for (let kz = 0; kz < kernel[0]; kz++) {
      for (let ky = 0; ky < kernel[1]; ky++) {
        for (let kx = 0; kx < kernel[2]; kx++) {
          const [z, y, x] = [kz * dilations[0], ky * dilations[1], kx * dilations[2]];
          table.set([y, x, ((c * depth + z) * height + y) * width + x, z], at);
          at += 4;
        }
      }
    }
  }
  return table;
}
