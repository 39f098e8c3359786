import type { ValueDataType } from "../../../../layouts/index.js";
import { type Piece, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";
import { type Fill, guarded } from "./fill-matrix.js";
import { type Tile, threadsOf } from "./tiling.js";

/** Sparse weights in the forms that prepare.ts makes. */
export type WeightFill =
  /**
   * Bands of `band` rows, those of a thread or all of a tile, keep the same `slots` k of each step (V:n:m). `w` holds [row tile][step][slot][row of the tile],
   * `kept` [row tile][step][band of the tile][slot]: where the k's line of X is in workgroup memory (lines.ts), in vectors.
   */
  | { readonly kind: "bands"; readonly values: ValueDataType; readonly slots: number; readonly band: number }
  /**
   * All rows of a tile keep the same k: [step][k of the step][row of the tile], `starts` the first step of each row tile, `kept` the
   * first k of each run of `run` neighbours; K and more where the last step has nothing.
   */
  | { readonly kind: "columns"; readonly values: ValueDataType; readonly run: number }
  /**
   * Any nonzeros, multiplied as if dense, in blocks of four rows and as many k as a thread expands (`blockDepth`): `kept` [row tile][step][thread] has
   * a bit for each weight of the block, row by row, and where its values begin in `w`, in the same order. With `pairs`, blocks are four k
   * deep and rows keep two of them: `kept` has the bits alone, `w` [row tile][step][thread][row][2].
   */
  | { readonly kind: "expand"; readonly values: ValueDataType; readonly pairs: boolean };

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

/** Vectors of a step's weights, and with those that threads write that have no share in them. */
const stepVectors = (weights: WeightFill, { rows, depth }: Tile): number =>
  ((weights.kind === "bands" ? weights.slots : depth) * rows) / 4;
export const weightVectors = (weights: WeightFill, tile: Tile, threads: number): number =>
  Math.ceil(stepVectors(weights, tile) / threads) * threads;

function copy(weights: Exclude<WeightFill, { kind: "expand" }>, around: Around): Fill {
  const { tile, threads, lane, steps } = around;
  const { values } = weights;
  const vectors = stepVectors(weights, tile);
  const parts = Array.from({ length: weightVectors(weights, tile, threads) / threads }, (_, i) => i);
  const first = weights.kind === "bands" ? wgsl`group_id.x * ${steps}` : "starts[group_id.x]";
  const places = weights.kind === "columns" ? null : placesFill(weights, around);
  return {
    before: [
      wgsl`let w_at = ${first} * ${vectors}u + ${lane};`,
      parts.map((i) => wgsl`var w_part${i}: ${weightType(weights)};`),
      wgsl`var w_step = 0u;`,
      places?.before ?? [],
    ],
    // Threads without a share read a neighbour's.
    load: [
      parts.map((i) => wgsl`w_part${i} = w[w_at + w_step + ${i * threads}u];`),
      wgsl`w_step = min(w_step + ${vectors}u, (steps - 1u) * ${vectors}u);`,
      places?.load ?? [],
    ],
    store: [
      parts.map((i) => wgsl`ws[${lane} + ${i * threads}u] = ${widen(values, `w_part${i}`)};`),
      places?.store ?? [],
    ],
  };
}

/** Elements of `w`. */
export const weightType = (weights: WeightFill) => {
  const { values } = weights;
  if (weights.kind === "expand" && !weights.pairs) return values === "float32" ? "f32" : "u32";
  return values === "float32" ? "vec4<f32>" : values === "int8" ? "u32" : "vec2<u32>";
};

/** Where the X of a step's kept k is for a thread. Where all rows of the tile share a band it is looked up once for all threads. */
function placesFill({ band, slots }: Extract<WeightFill, { kind: "bands" }>, { tile, steps }: Around): Fill {
  const perStep = (tile.rows / band) * slots;
  const own = band === tile.rows ? "" : wgsl` + row_group * ${slots}u`;
  return {
    before: [
      wgsl`let kept_at = group_id.x * ${steps} * ${perStep}u${own};`,
      unroll(slots, (i) => [wgsl`var kept_${i}: u32;`, wgsl`var place_${i}: u32;`]),
      wgsl`var kept_step = 0u;`,
    ],
    load: [
      unroll(slots, (i) => wgsl`kept_${i} = kept[kept_at + kept_step + ${i}u];`),
      wgsl`kept_step = min(kept_step + ${perStep}u, (steps - 1u) * ${perStep}u);`,
    ],
    store: unroll(slots, (i) => wgsl`place_${i} = kept_${i};`),
  };
}

/** The k that a thread expands of each of four rows. */
export const blockDepth = (tile: Tile): number => Math.max(1, (tile.depth * tile.rows) / (4 * threadsOf(tile)));

/** Each thread expands a block. */
function expand(
  { values, pairs }: Extract<WeightFill, { kind: "expand" }>,
  { tile, threads, lane, steps }: Around,
): Fill {
  const { rows, depth } = tile;
  const quads = rows / 4;
  const deep = blockDepth(tile);
  const blocks = (depth / deep) * quads;
  const each = (line: (row: number, i: number) => Piece) =>
    unroll(4, (r) => unroll(pairs ? 2 : deep, (i) => line(r, i)));
  const masks = (r: number) =>
    unroll(deep, (k) => wgsl`let kept_${r}_${k} = (w_kept & ${2 ** (r * deep + k)}u) != 0u;`);
  return {
    before: wgsl`
      let w_to = (${lane} / ${quads}u) * ${deep * quads}u + ${lane} % ${quads}u;
      let block = group_id.x * ${steps} * ${blocks}u + ${lane};
      var block_step = 0u;
      var w_kept: u32;
      ${pairs ? unroll(2, (i) => wgsl`var w_part${i}: ${weightType({ kind: "expand", values, pairs })};`) : each((r, i) => wgsl`var w_${r}_${i}: f32;`)}
    `,
    load: wgsl`
      ${pairs ? loadPairs : loadValues(values, deep)}
      block_step = min(block_step + ${blocks}u, (steps - 1u) * ${blocks}u);
    `,
    store: guarded(
      blocks < threads ? wgsl`${lane} < ${blocks}u` : null,
      wgsl`
        {
          ${pairs ? unroll(2, (i) => wgsl`let pairs_${i} = ${widen(values, `w_part${i}`)};`) : []}
          ${unroll(4, (r) => [masks(r), pairs ? spreadPair(r) : spreadValues(r, deep)])}
          ${unroll(deep, (k) => wgsl`ws[w_to + ${k * quads}u] = vec4<f32>(${[0, 1, 2, 3].map((r) => `full_${r}_${k}`).join(", ")});`)}
        }
      `,
    ),
  };
}

const loadPairs = wgsl`
  w_kept = kept[block + block_step];
  w_part0 = w[2u * (block + block_step)];
  w_part1 = w[2u * (block + block_step) + 1u];
`;

/** As many values of each row as it can have: those beyond its own are not used. */
const loadValues = (values: ValueDataType, deep: number): Piece => wgsl`
  {
    let found = kept[block + block_step];
    w_kept = found.x;
    ${unroll(4, (r) => [
      wgsl`let at_${r} = found.y${r === 0 ? "" : ` + countOneBits(found.x & ${2 ** (r * deep) - 1}u)`};`,
      unroll(deep, (i) => wgsl`w_${r}_${i} = ${valueAt(values, `at_${r} + ${i}u`)};`),
    ])}
  }
`;

/** Two values over four k: the first is at the first kept k, the second at the last. */
function spreadPair(r: number): Piece {
  const value = (i: number) => `pairs_${r >> 1}.${"xyzw"[2 * (r & 1) + i]!}`;
  const [a, b] = [value(0), value(1)];
  const kept = (k: number) => `kept_${r}_${k}`;
  return [
    `let full_${r}_0 = select(0.0, ${a}, ${kept(0)});`,
    `let full_${r}_1 = select(0.0, select(${a}, ${b}, ${kept(0)}), ${kept(1)});`,
    `let full_${r}_2 = select(0.0, select(${b}, ${a}, ${kept(3)}), ${kept(2)});`,
    `let full_${r}_3 = select(0.0, ${b}, ${kept(3)});`,
  ];
}

/** The values of a row one by one: each kept k takes the first, and leaves the others one place further on. */
const spreadValues = (r: number, deep: number): Piece => [
  unroll(deep, (i) => `let rest_${r}_0_${i} = w_${r}_${i};`),
  unroll(deep, (k) => [
    `let full_${r}_${k} = select(0.0, rest_${r}_${k}_0, kept_${r}_${k});`,
    unroll(deep - k - 1, (i) => {
      const [stays, moves] = [`rest_${r}_${k}_${i}`, `rest_${r}_${k}_${i + 1}`];
      return `let rest_${r}_${k + 1}_${i} = select(${stays}, ${moves}, kept_${r}_${k});`;
    }),
  ]),
];
