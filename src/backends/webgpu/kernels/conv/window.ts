import type { ConvSpec } from "../../../specs/conv/conv.js";
import { type Piece, type UniformType, wgsl } from "../../wgsl/index.js";

/** A window's slide over planes [height, width]. */
export type WindowSpec = Pick<ConvSpec, "input" | "output" | "strides" | "pads">;

export const WINDOW_UNIFORMS = {
  height: "u32",
  width: "u32",
  outWidth: "u32",
  strideY: "i32",
  strideX: "i32",
  padY: "i32",
  padX: "i32",
} as const satisfies Record<string, UniformType>;

export const windowUniforms = ({ input, output, strides, pads }: WindowSpec) => ({
  height: input[0],
  width: input[1],
  outWidth: output[1],
  strideY: strides[0],
  strideX: strides[1],
  padY: pads[0],
  padX: pads[1],
});

/** `origin(pixel)`: row and column of x where the window of an output pixel begins, and how far that is from the plane's first element. */
export const ORIGIN_FUNCTION: Piece = wgsl`
  fn origin(pixel: u32) -> vec3<i32> {
    let y = i32(pixel / uniforms.outWidth) * uniforms.strideY - uniforms.padY;
    let x = i32(pixel % uniforms.outWidth) * uniforms.strideX - uniforms.padX;
    return vec3<i32>(y, x, y * i32(uniforms.width) + x);
  }
`;

/**
 * `fetch(base, corner, tap)`: the element of x that the tap (row, column, element, all counted from the window's beginning) of the window at `corner`
 * is on, zero outside the plane; `base` is the first plane's place.
 */
export const FETCH_FUNCTION: Piece = wgsl`
  fn fetch(base: u32, corner: vec3<i32>, tap: vec4<i32>) -> f32 {
    let at = corner + tap.xyz;
    let inside = u32(at.x) < uniforms.height && u32(at.y) < uniforms.width;
    return select(0.0f, x[select(0u, u32(i32(base) + at.z), inside)], inside);
  }
  fn fetch_four(base: u32, corners: array<vec3<i32>, 4>, tap: vec4<i32>) -> vec4<f32> {
    return vec4<f32>(fetch(base, corners[0], tap), fetch(base, corners[1], tap), fetch(base, corners[2], tap), fetch(base, corners[3], tap));
  }
  fn four_origins(pixel: u32) -> array<vec3<i32>, 4> {
    return array<vec3<i32>, 4>(origin(pixel), origin(pixel + 1u), origin(pixel + 2u), origin(pixel + 3u));
  }
`;

/** A row that is outside of every plane. */
const OUTSIDE = 2 ** 30;

/**
 * The taps of a group's weights [channels, kernel height, kernel width] in their order, four int32 each, as `fetch` wants them; then
 * `count` in all, the rest outside.
 */
export function tapTable(spec: ConvSpec, count: number): Int32Array {
  const { channels, group, input, kernel, dilations } = spec;
  const table = new Int32Array(4 * count).fill(OUTSIDE);
  let at = 0;
  for (let c = 0; c < channels / group; c++) {
    for (let ky = 0; ky < kernel[0]; ky++) {
      for (let kx = 0; kx < kernel[1]; kx++) {
        const [y, x] = [ky * dilations[0], kx * dilations[1]];
        table.set([y, x, (c * input[0] + y) * input[1] + x, 0], at);
        at += 4;
      }
    }
  }
  return table;
}
