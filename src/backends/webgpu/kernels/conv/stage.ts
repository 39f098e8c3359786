import type { ConvSpec } from "../../../specs/conv/conv.js";
import { type Piece, type Wgsl, wgsl } from "../../wgsl/index.js";

/** How a step's inputs are brought to workgroup memory: taps of pixels, [tap][pixel] in vectors of four pixels. */
export interface Stage {
  readonly depth: number;
  readonly pixels: number;
  readonly threads: number;
  /** Kernels of one tap over images of the output's size, a multiple of 4 pixels: x is an array of vectors, a channel to each tap. */
  readonly pointwise: boolean;
}

export function isPointwise({ kernel, strides, pads, input, output }: ConvSpec): boolean {
  const same = input.join() === output.join() && pads.join() === "0,0" && strides.join() === "1,1";
  return same && kernel.join() === "1,1" && (output[0] * output[1]) % 4 === 0;
}

/** In front of the loop: the thread's four pixels. */
export const stageBefore = ({ pixels, pointwise }: Stage, lane: Wgsl): Piece => wgsl`
  let stage_quad = ${lane} % ${pixels / 4}u;
  let stage_tap = ${lane} / ${pixels / 4}u;
  let stage_pixel = pixel0 + 4u * stage_quad;
  ${pointwise ? [] : "let stage_corners = four_origins(min(stage_pixel, uniforms.pixels - 1u));"}
`;

/** Fills `xs` with the taps from `k0` on. */
export const stageStep = ({ depth, pixels, threads, pointwise }: Stage): Piece => {
  const taps = threads / (pixels / 4);
  return wgsl`
    for (var tap = stage_tap; tap < ${depth}u; tap += ${taps}u) {
      ${
        pointwise
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
