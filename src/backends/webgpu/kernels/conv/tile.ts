import type { Node } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import { sizeOf } from "../../../../tensor/index.js";
import { convCost, pixelsOf, type VolumeConvSpec, volumeConvSpec } from "../../../specs/conv/conv.js";
import type { Buffer, Kernel, Lowering, ShaderCode } from "../../kernel.js";
import { input, type Piece, shader, type UniformType, unroll, wgsl } from "../../wgsl/index.js";
import { type Store, storeBindings, storeBuffers, storeFunction, storeKey, storeOf } from "./epilogue.js";
import { type Stage, stageBefore, stageStep, tapsKind } from "./stage.js";
import { tapTable, WINDOW_UNIFORMS, windowFunctions, windowUniforms } from "./window.js";

/** A workgroup of 64 threads makes `rows` output channels × `pixels`, in steps of `depth` taps; a thread 4 × 8. */
export interface ConvTile {
  readonly rows: 16 | 32;
  readonly pixels: 64 | 128;
  readonly depth: number;
}

const THREADS = 64;
const TILES: readonly [few: ConvTile, many: ConvTile] = [
  { rows: 16, pixels: 128, depth: 16 },
  { rows: 32, pixels: 64, depth: 16 },
];

export const TILE_UNIFORMS = {
  ...WINDOW_UNIFORMS,
  /** Taps of a group's weights: channels × kernel positions. */
  K: "u32",
  steps: "u32",
  /** Output channels, of a group and of all; tiles of a group's. */
  outputs: "u32",
  allOutputs: "u32",
  rowTiles: "u32",
  /** Pixels of an output channel; elements of an image of x, and of a group's channels. */
  pixels: "u32",
  image: "u32",
  groupImage: "u32",
} as const satisfies Record<string, UniformType>;
export type TileUniform = keyof typeof TILE_UNIFORMS;

export function tileUniforms(spec: VolumeConvSpec, rows: number, depth: number): Record<TileUniform, number> {
  const { channels, outputs, group, input, kernel } = spec;
  const K = (channels / group) * sizeOf(kernel);
  const image = channels * sizeOf(input);
  return {
    ...windowUniforms(spec),
    K,
    steps: Math.ceil(K / depth),
    outputs: outputs / group,
    allOutputs: outputs,
    rowTiles: Math.ceil(outputs / group / rows),
    pixels: pixelsOf(spec),
    image,
    groupImage: image / group,
  };
}

/** A grid of [pixel tiles, tiles of output channels, images]: `pixel0`, `row0` in the group, `x_base`. */
export const placeText = (rows: number, pixels: number): Piece => wgsl`
  let pixel0 = group_id.x * ${pixels}u;
  let group = group_id.y / uniforms.rowTiles;
  let row0 = (group_id.y % uniforms.rowTiles) * ${rows}u;
  let image = group_id.z;
  let x_base = image * uniforms.image + group * uniforms.groupImage;
`;

/** The taps' table, but for pointwise convolutions, which need none. */
export function tapsOf(spec: VolumeConvSpec, count: number, weight: Node["inputs"][number], to: Lowering): Buffer {
  const { channels, group, input, kernel, dilations } = spec;
  const key = `conv-taps/${count}/${[channels / group, ...input, ...kernel, ...dilations]}`;
  return to.prepared(weight!, key, 16 * count, (target) => {
    target.set(new Uint8Array(tapTable(spec, count).buffer));
  });
}

/** The weights as numbers [outputs, channels, kernel positions]. */
export function weightsOf(weight: Node["inputs"][number], to: Lowering): Float32Array {
  const constant = to.constant(weight!)!;
  return (constant instanceof SparseTensor ? constant.toDense() : constant).data as Float32Array;
}

/** Conv as a product of W [output channels, taps] and the taps of all pixels, unfolded in workgroup memory tile by tile. */
export const tileConv: Kernel<VolumeConvSpec, ConvTile> = {
  name: "conv",
  match: volumeConvSpec,
  schedules: ({ outputs, group }) => {
    const [few, many] = TILES;
    return outputs / group <= few.rows ? [few, many] : [many, few];
  },
  lower(spec, tile, node, to) {
    const { rows, pixels, depth } = tile;
    const [x, weight] = node.inputs;
    const uniforms = tileUniforms(spec, rows, depth);
    const stage: Stage = { depth, pixels, threads: THREADS, taps: tapsKind(spec) };
    const tiles = spec.group * uniforms.rowTiles;
    const size = tiles * uniforms.steps * depth * rows;
    const w = to.prepared(weight!, `conv-tiles/${rows}x${depth}/${spec.group}`, 4 * size, (target) => {
      pack(weightsOf(weight!, to), uniforms, tile, new Float32Array(target.buffer, target.byteOffset, size));
    });
    const taps = stage.taps === "pointwise" ? {} : { taps: tapsOf(spec, uniforms.steps * depth, weight!, to) };
    to.launch(
      tileCode(tile, stage, storeOf(spec)),
      { x: to.buffer(x!), w, ...taps, ...storeBuffers(spec, node, to) },
      uniforms,
      [Math.ceil(uniforms.pixels / pixels), tiles, spec.batch],
    );
  },
  cost: convCost,
};

/** [group][tile of rows][tap][row of the tile], taps in whole steps. */
function pack(
  weights: Float32Array,
  { K, outputs, allOutputs, rowTiles, steps }: Record<TileUniform, number>,
  { rows, depth }: ConvTile,
  into: Float32Array,
): void {
  for (let o = 0; o < allOutputs; o++) {
    const [group, row] = [Math.floor(o / outputs), o % outputs];
    const tile = group * rowTiles + Math.floor(row / rows);
    const at = tile * steps * depth * rows + (row % rows);
    for (let k = 0; k < K; k++) into[at + k * rows] = weights[o * K + k]!;
  }
}

function tileCode(tile: ConvTile, stage: Stage, store: Store): ShaderCode<string, TileUniform> {
  const { rows, pixels, depth } = tile;
  const across = pixels / 8;
  const parts = (rows * depth) / 4 / THREADS;
  return shader<string, TileUniform>({
    key: `conv/tile/${rows}x${pixels}x${depth}/${stage.taps}/${storeKey(store)}`,
    workgroup: [THREADS],
    bindings: {
      x: input(stage.taps === "pointwise" ? "vec4<f32>" : "f32"),
      w: input("vec4<f32>"),
      ...(stage.taps === "pointwise" ? {} : { taps: input("vec4<i32>") }),
      ...storeBindings(store),
    },
    uniforms: TILE_UNIFORMS,
    declarations: () => wgsl`
      // [tap][pixel], [tap][row]
      var<workgroup> xs: array<vec4<f32>, ${(depth * pixels) / 4}>;
      var<workgroup> ws: array<vec4<f32>, ${(depth * rows) / 4}>;
      ${stage.taps === "pointwise" ? [] : windowFunctions(stage.taps)}
      ${storeFunction(store)}
    `,
    body: (s) => wgsl`
      ${placeText(rows, pixels)}
      ${stageBefore(stage, s.lane)}
      let row_quad = ${s.lane} / ${across}u;
      let column = ${s.lane} % ${across}u;
      ${unroll(4, (r) => unroll(2, (v) => wgsl`var sum_${r}_${v} = vec4<f32>();`))}
      for (var step = 0u; step < uniforms.steps; step++) {
        let k0 = step * ${depth}u;
        workgroupBarrier();
        ${stageStep(stage)}
        let w_from = (group_id.y * uniforms.steps + step) * ${(rows * depth) / 4}u + ${s.lane};
        ${unroll(parts, (i) => wgsl`ws[${s.lane} + ${i * THREADS}u] = w[w_from + ${i * THREADS}u];`)}
        workgroupBarrier();
        for (var k = 0u; k < ${depth}u; k++) {
          let four_w = ws[(k * ${rows / 4}u + row_quad) & ${(rows * depth) / 4 - 1}u];
          ${unroll(2, (v) => wgsl`let x_${v} = xs[(k * ${pixels / 4}u + column + ${v * across}u) & ${(depth * pixels) / 4 - 1}u];`)}
          ${unroll(4, (r) => unroll(2, (v) => wgsl`sum_${r}_${v} = fma(vec4<f32>(four_w[${r}]), x_${v}, sum_${r}_${v});`))}
        }
      }
      let row = row0 + 4u * row_quad;
      ${unroll(
        4,
        (r) => wgsl`
          if (row + ${r}u < uniforms.outputs) {
            ${unroll(2, (v) => wgsl`store(image, group * uniforms.outputs + row + ${r}u, pixel0 + 4u * (column + ${v * across}u), sum_${r}_${v});`)}
          }
        `,
      )}
    `,
  });
}
