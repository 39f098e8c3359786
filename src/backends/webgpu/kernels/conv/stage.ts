import { pixelsOf, type VolumeConvSpec } from "../../../specs/conv/conv.js";
import { type Piece, type Wgsl, wgsl } from "../../wgsl/index.js";
import { type Space, spaceOf } from "./window.js";

/** How a step's inputs are brought to workgroup memory: taps of pixels, [tap][pixel] in vectors of four pixels. */
export interface Stage {
  readonly depth: number;
  readonly pixels: number;
  readonly threads: number;
  /**
   * "pointwise": kernels of one tap over images of the output's size, a multiple of 4 pixels: x is an array of vectors, a channel to each
   * tap.
   */
  readonly taps: "pointwise" | Space;
}

export function tapsKind(spec: VolumeConvSpec): Stage["taps"] {
  const { kernel, strides, pads, input, output } = spec;
  const still = pads.every((pad) => pad === 0) && [...strides, ...kernel].every((step) => step === 1);
  return still && input.join() === output.join() && pixelsOf(spec) % 4 === 0 ? "pointwise" : spaceOf(spec);
}

/** In front of the loop: the thread's four pixels. */
export const stageBefore = ({ pixels, taps }: Stage, lane: Wgsl): Piece => wgsl`
  let stage_quad = ${lane} % ${pixels / 4}u;
  let stage_tap = ${lane} / ${pixels / 4}u;
  let stage_pixel = pixel0 + 4u * stage_quad;
  ${taps === "pointwise" ? [] : "let stage_corners = four_origins(min(stage_pixel, uniforms.pixels - 1u));"}
`;

/** Fills `xs` with the taps from `k0` on. */
export const stageStep = ({ depth, pixels, threads, taps }: Stage): Piece => {
  const stride = threads / (pixels / 4);
  return wgsl`
    for (var tap = stage_tap; tap < ${depth}u; tap += ${stride}u) {
      ${
        taps === "pointwise"
          ? wgsl`
              let there = k0 + tap < uniforms.K && stage_pixel < uniforms.pixels;
              let place = select(0u, (x_base + (k0 + tap) * uniforms.pixels + stage_pixel) >> 2u, there);
              xs[tap * ${pixels / 4}u + stage_quad] = select(vec4<f32>(), x[place], there);
            `
          : wgsl`xs[tap * ${pixels / 4}u + stage_quad] = fetch_four(x_base, stage_corners, taps[k0 + tap]);`
      }
    }
  `;
};
