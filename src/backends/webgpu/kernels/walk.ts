import type { Walk } from "../../specs/walk.js";
import { type Piece, unroll, type Wgsl, wgsl } from "../wgsl/index.js";

/** Walks over several tensors at once: an index of the grid of elements to a place in each of them. */

/** Uniforms of a walk of `rank` axes over `tensors` tensors. */
export const walkUniforms = (rank: number, tensors: number): Record<string, "u32" | "i32"> => ({
  ...Object.fromEntries(Array.from({ length: rank }, (_, axis) => [`dim${axis}`, "u32" as const])),
  ...Object.fromEntries(
    Array.from({ length: tensors }, (_, t) => [
      [`start${t}`, "i32" as const],
      ...Array.from({ length: rank }, (_, axis) => [`step${t}_${axis}`, "i32" as const] as const),
    ]).flat(),
  ),
});

/** Their values. `starts` are the places of the first elements. */
export const walkValues = ({ dims, strides }: Walk, starts: readonly number[] = []): Record<string, number> => ({
  ...Object.fromEntries(dims.map((dim, axis) => [`dim${axis}`, dim])),
  ...Object.fromEntries(
    strides.flatMap((stride, t) => [
      [`start${t}`, starts[t] ?? 0],
      ...stride.map((step, axis) => [`step${t}_${axis}`, step] as const),
    ]),
  ),
});

/** A function `walk(index) -> array<u32, tensors>`: each tensor's place, in elements. */
export function walkFunction(rank: number, tensors: number): Wgsl {
  const step = (t: number, axis: number): Piece => wgsl`i32(c${axis}) * uniforms.step${t}_${axis}`;
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return wgsl`
    fn walk(index: u32) -> array<u32, ${tensors}> {
      var rest = index;
      ${axes
        .slice(1)
        .reverse()
        .map(
          (axis) => wgsl`
            let c${axis} = rest % uniforms.dim${axis};
            rest = rest / uniforms.dim${axis};
          `,
        )}
      let c0 = rest;
      return array<u32, ${tensors}>(
        ${unroll(tensors, (t) => wgsl`u32(uniforms.start${t}${axes.map((axis) => wgsl` + ${step(t, axis)}`.text).join("")}),`)}
      );
    }
  `;
}
