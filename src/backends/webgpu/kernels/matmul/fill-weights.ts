import type { ValueDataType } from "../../../../layouts/index.js";
import { type Piece, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";
import { type Fill, guarded, shares } from "./fill-matrix.js";
import type { Tile } from "./tile.js";

/** Slots of a band with the one that fills up its last word. */
export const evenSlots = (slots: number): number => slots + (slots & 1);

/** Sparse weights in the forms that prepare.ts makes. */
export type WeightFill =
  /**
   * Bands of `band` rows, those of a thread or all of a tile, keep the same `slots` k of each step (V:n:m). `w` holds [row tile][step][slot][row of the tile],
   * `kept` [row tile][step][band of the tile][slot]: the k in the step times tokens / 4, 16 bits each, bands padded to whole words.
   */
  | { readonly kind: "bands"; readonly values: ValueDataType; readonly slots: number; readonly band: number }
  /**
   * All rows of a tile keep the same k: [step][k of the step][row of the tile], `starts` the first step of each row tile, `kept` the
   * first k of each run of `run` neighbours; K and more where the last step has nothing.
   */
  | { readonly kind: "columns"; readonly values: ValueDataType; readonly run: number }
  /**
   * Any nonzeros, multiplied as if dense: `kept` [row tile][step][row of the tile] has the bits of the kept k of the step and
   * the place of the first one in `w`.
   */
  | { readonly kind: "expand"; readonly values: ValueDataType };

interface Around {
  readonly tile: Tile;
  readonly threads: number;
  readonly lane: Wgsl;
  readonly steps: Wgsl;
}

/** Brings a step's weights to workgroup memory, widened to float32. */
export const weightFill = (weights: WeightFill, around: Around): Fill =>
  weights.kind === "expand" ? expand(weights, around) : copy(weights, around);

/** Four stored values as floats. */
export function widen(values: ValueDataType, bits: Piece): Wgsl {
  switch (values) {
    case "float32":
      return wgsl`${bits}`;
    case "float16":
      return wgsl`vec4<f32>(unpack2x16float(${bits}.x), unpack2x16float(${bits}.y))`;
    case "bfloat16":
      return wgsl`bitcast<vec4<f32>>(vec4<u32>(${bits}.x << 16u, ${bits}.x & 0xffff0000u, ${bits}.y << 16u, ${bits}.y & 0xffff0000u))`;
    case "int8":
      return wgsl`vec4<f32>((vec4<i32>(bitcast<i32>(${bits})) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u))`;
  }
}

/** The stored value at `index` of `w`, an array of f32 or of u32 words. */
export function valueAt(values: ValueDataType, index: Piece): Wgsl {
  switch (values) {
    case "float32":
      return wgsl`w[${index}]`;
    case "float16":
      return wgsl`unpack2x16float(w[(${index}) >> 1u] >> (((${index}) & 1u) << 4u)).x`;
    case "bfloat16":
      return wgsl`bitcast<f32>((w[(${index}) >> 1u] >> (((${index}) & 1u) << 4u)) << 16u)`;
    case "int8":
      return wgsl`f32(bitcast<i32>(w[(${index}) >> 2u] << (24u - (((${index}) & 3u) << 3u))) >> 24u)`;
  }
}

function copy(weights: Exclude<WeightFill, { kind: "expand" }>, around: Around): Fill {
  const { tile, lane, steps } = around;
  const { values } = weights;
  const vectors = ((weights.kind === "bands" ? weights.slots : tile.depth) * tile.rows) / 4;
  const parts = shares(vectors, around);
  const first = weights.kind === "bands" ? wgsl`group_id.x * ${steps}` : "starts[group_id.x]";
  const indices = weights.kind === "columns" ? null : indicesFill(weights, around);
  return {
    before: [
      wgsl`let w_at = ${first} * ${vectors}u + ${lane};`,
      parts.map((_, i) => wgsl`var w_part${i}: ${weightType(weights)};`),
      indices?.before ?? [],
    ],
    // Threads without a share read a neighbour's.
    load: [
      wgsl`let w_step = step * ${vectors}u;`,
      parts.map((_, i) => wgsl`w_part${i} = w[w_at + w_step + ${i * around.threads}u];`),
      indices?.load ?? [],
    ],
    store: [
      parts.map(({ index, guard }, i) => guarded(guard, wgsl`ws[${index}] = ${widen(values, `w_part${i}`)};`)),
      indices?.store ?? [],
    ],
  };
}

/** Elements of `w`. */
export const weightType = ({ kind, values }: WeightFill) => {
  if (kind === "expand") return values === "float32" ? "f32" : "u32";
  return values === "float32" ? "vec4<f32>" : values === "int8" ? "u32" : "vec2<u32>";
};

/** The k of a step's bands, in registers. Where all rows of the tile share them they are the same for all threads, who need not work on them. */
function indicesFill({ band, slots }: Extract<WeightFill, { kind: "bands" }>, { tile, steps }: Around): Fill {
  const words = evenSlots(slots) / 2;
  const perStep = (tile.rows / band) * words;
  const own = band === tile.rows ? "" : wgsl` + row_group * ${words}u`;
  return {
    before: [
      wgsl`let kept_at = group_id.x * ${steps} * ${perStep}u${own};`,
      unroll(words, (i) => [wgsl`var kept_${i}: u32;`, wgsl`var next_kept_${i}: u32;`]),
    ],
    load: unroll(words, (i) => wgsl`next_kept_${i} = kept[kept_at + step * ${perStep}u + ${i}u];`),
    store: unroll(words, (i) => wgsl`kept_${i} = next_kept_${i};`),
  };
}

/** Each thread expands four rows of some neighbouring k. */
function expand({ values }: Extract<WeightFill, { kind: "expand" }>, { tile, threads, lane, steps }: Around): Fill {
  const { rows, depth } = tile;
  const quads = rows / 4;
  const deep = Math.max(1, (depth * quads) / threads);
  const busy = (depth / deep) * quads;
  const guard = busy < threads ? wgsl`${lane} < ${busy}u` : null;
  return {
    before: wgsl`
      let w_quad = ${lane} % ${quads}u;
      let w_k = (${lane} / ${quads}u) * ${deep}u;
      let w_to = w_k * ${quads}u + w_quad;
      let kept_at = group_id.x * ${steps} * ${rows}u + 4u * w_quad;
      ${unroll(deep, (k) => `var w_part${k}: vec4<f32>;`)}
    `,
    load: wgsl`
      {
        ${unroll(4, (r) => [
          wgsl`let kept_${r} = kept[kept_at + step * ${rows}u + ${r}u];`,
          wgsl`var bits_${r} = kept_${r}.x >> w_k;`,
          wgsl`var at_${r} = kept_${r}.y + countOneBits(kept_${r}.x & ((1u << w_k) - 1u));`,
        ])}
        ${unroll(deep, (k) => [
          unroll(
            4,
            (r) => wgsl`w_part${k}.${"xyzw"[r]!} = select(0.0, ${valueAt(values, `at_${r}`)}, (bits_${r} & 1u) != 0u);`,
          ),
          k + 1 < deep ? unroll(4, (r) => [wgsl`at_${r} += bits_${r} & 1u;`, wgsl`bits_${r} >>= 1u;`]) : [],
        ])}
      }
    `,
    store: guarded(
      guard,
      unroll(deep, (k) => wgsl`ws[w_to + ${k * quads}u] = w_part${k};`),
    ),
  };
}
