import type { SparseTensor } from "../../../../layouts/index.js";
import { convCost, type VolumeConvSpec, volumeConvSpec } from "../../../specs/conv/conv.js";
import type { Kernel, ShaderCode } from "../../kernel.js";
import { input, shader, unroll, wgsl } from "../../wgsl/index.js";
import { type Store, storeBindings, storeBuffers, storeFunction, storeKey, storeOf } from "./epilogue.js";
import { type Stage, stageBefore, stageStep, tapsKind } from "./stage.js";
import { placeText, TILE_UNIFORMS, type TileUniform, tapsOf, tileUniforms, weightsOf } from "./tile.js";
import { windowFunctions } from "./window.js";

export interface SparseConvSpec extends VolumeConvSpec {
  readonly nonzeros: number;
}

/** A workgroup makes 32 output channels × 128 pixels, in steps of 32 taps; a thread 4 × 8. */
const [ROWS, PIXELS, DEPTH, THREADS] = [32, 128, 32, 128];
const ACROSS = PIXELS / 8;

/** Denser weights are multiplied as if dense. */
const MOST_DENSITY = 0.5;

/**
 * Conv of weights that are mostly zeros, whatever their layout: the taps of a tile of pixels are unfolded in workgroup memory, and each output
 * channel multiplies those that it keeps.
 */
export const sparseConv: Kernel<SparseConvSpec, null> = {
  name: "sparse-conv",
  match(node, at) {
    const spec = volumeConvSpec(node, at);
    if (spec === null || !spec.sparse) return null;
    const weight = at.constant(node.inputs[1]!) as SparseTensor;
    const { rows, cols, parts } = weight.stored;
    const nonzeros = parts.values!.size;
    return nonzeros <= MOST_DENSITY * rows * cols ? { ...spec, nonzeros } : null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const [x, weight] = node.inputs;
    const uniforms = tileUniforms(spec, ROWS, DEPTH);
    const stage: Stage = { depth: DEPTH, pixels: PIXELS, threads: THREADS, taps: tapsKind(spec) };
    const tiles = spec.group * uniforms.rowTiles;
    let stream: Stream | null = null;
    const made = (): Stream => {
      stream ??= streamOf(weightsOf(weight!, to), spec.nonzeros, uniforms, tiles);
      return stream;
    };
    const starts = to.prepared(
      weight!,
      `conv-starts/${spec.group}`,
      4 * (tiles * uniforms.steps * ROWS + 1),
      (target) => target.set(new Uint8Array(made().starts.buffer)),
    );
    const kept = to.prepared(weight!, `conv-kept/${spec.group}`, 8 * spec.nonzeros, (target) =>
      target.set(new Uint8Array(made().kept.buffer)),
    );
    const taps = stage.taps === "pointwise" ? {} : { taps: tapsOf(spec, uniforms.steps * DEPTH, weight!, to) };
    to.launch(
      sparseCode(stage, storeOf(spec)),
      { x: to.buffer(x!), starts, kept, ...taps, ...storeBuffers(spec, node, to) },
      uniforms,
      [Math.ceil(uniforms.pixels / PIXELS), tiles, spec.batch],
    );
  },
  cost: (spec) => {
    const cost = convCost(spec);
    return { ...cost, bytes: cost.bytes - spec.weightBytes + 8 * spec.nonzeros };
  },
};

/** Kept weights in the order in which they are read: (place of the tap's pixels in the step's vectors, bits of the value). */
interface Stream {
  readonly kept: Uint32Array;
  /** Where each [group and tile of rows][step][row of the tile] begins in `kept`; the end follows. */
  readonly starts: Uint32Array;
}

function streamOf(
  weights: Float32Array,
  nonzeros: number,
  { K, outputs, rowTiles, steps }: Record<TileUniform, number>,
  tiles: number,
): Stream {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const kept = new Uint32Array(2 * nonzeros);
  const starts = new Uint32Array(tiles * steps * ROWS + 1);
  let at = 0;
  let start = 0;
  for (let tile = 0; tile < tiles; tile++) {
    const first = Math.floor(tile / rowTiles) * outputs;
    for (let step = 0; step < steps; step++) {
      for (let r = 0; r < ROWS; r++) {
        starts[start++] = at;
        const row = (tile % rowTiles) * ROWS + r;
        if (row >= outputs) continue;
        for (let k = step * DEPTH; k < Math.min(K, (step + 1) * DEPTH); k++) {
          const from = (first + row) * K + k;
          if (weights[from] === 0) continue;
          kept[2 * at] = ((k % DEPTH) * PIXELS) / 4;
          kept[2 * at + 1] = bits[from]!;
          at++;
        }
      }
    }
  }
  starts[start] = at;
  return { kept, starts };
}

const sparseCode = (stage: Stage, store: Store): ShaderCode<string, TileUniform> =>
  shader<string, TileUniform>({
    key: `conv/sparse/${ROWS}x${PIXELS}x${DEPTH}/${stage.taps}/${storeKey(store)}`,
    workgroup: [THREADS],
    bindings: {
      x: input(stage.taps === "pointwise" ? "vec4<f32>" : "f32"),
      starts: input("u32"),
      kept: input("vec2<u32>"),
      ...(stage.taps === "pointwise" ? {} : { taps: input("vec4<i32>") }),
      ...storeBindings(store),
    },
    uniforms: TILE_UNIFORMS,
    declarations: () => wgsl`
      // [tap][pixel]
      var<workgroup> xs: array<vec4<f32>, ${(DEPTH * PIXELS) / 4}>;
      ${stage.taps === "pointwise" ? [] : windowFunctions(stage.taps)}
      ${storeFunction(store)}
    `,
    body: (s) => wgsl`
      ${placeText(ROWS, PIXELS)}
      ${stageBefore(stage, s.lane)}
      let row_quad = ${s.lane} / ${ACROSS}u;
      let column = ${s.lane} % ${ACROSS}u;
      ${unroll(4, (r) => unroll(2, (v) => wgsl`var sum_${r}_${v} = vec4<f32>();`))}
      for (var step = 0u; step < uniforms.steps; step++) {
        let k0 = step * ${DEPTH}u;
        workgroupBarrier();
        ${stageStep(stage)}
        workgroupBarrier();
        let list = (group_id.y * uniforms.steps + step) * ${ROWS}u + 4u * row_quad;
        var entry = starts[list];
        ${unroll(
          4,
          (r) => wgsl`
            {
              let end = starts[list + ${r + 1}u];
              for (; entry < end; entry++) {
                let one = kept[entry];
                let value = vec4<f32>(bitcast<f32>(one.y));
                ${unroll(2, (v) => wgsl`sum_${r}_${v} = fma(value, xs[(one.x + column + ${v * ACROSS}u) & ${(DEPTH * PIXELS) / 4 - 1}u], sum_${r}_${v});`)}
              }
            }
          `,
        )}
      }
      let row = row0 + 4u * row_quad;
      ${unroll(
        4,
        (r) => wgsl`
          if (row + ${r}u < uniforms.outputs) {
            ${unroll(2, (v) => wgsl`store(image, group * uniforms.outputs + row + ${r}u, pixel0 + 4u * (column + ${v * ACROSS}u), sum_${r}_${v});`)}
          }
        `,
      )}
    `,
  });
