import type { Epilogue, Order } from "../../../specs/matmul/epilogue.js";
import type { ShaderCode } from "../../kernel.js";
import { input, output, type Piece, type Storage, shader, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";
import { type Fill, type MatrixFill, matrixFill } from "./fill-matrix.js";
import { type WeightFill, weightFill, weightType, weightVectors } from "./fill-weights.js";
import { lineOf, linePitch, lineVectors } from "./lines.js";
import { epilogueKey, storeText, storeTile } from "./store.js";
import { type Tile, threadsOf, tileText } from "./tiling.js";

/** Where W comes from. Everything but "matrix" has been made ready by prepare.ts. */
export type Weights =
  /** A dense matrix in memory. */
  { readonly kind: "matrix"; readonly fill: MatrixFill } | WeightFill;

/** All that the text depends on. */
export interface TileShader {
  readonly tile: Tile;
  readonly weights: Weights;
  readonly x: MatrixFill;
  readonly yOrder: Order;
  /** Stores are of four floats: y's inner axis is a multiple of 4. */
  readonly yVector: boolean;
  readonly epilogue: Epilogue;
  /** M and N are multiples of the tile's sides: nothing to check when storing. */
  readonly whole: boolean;
  /** Sums are multiplied by a factor a row (int8 values). */
  readonly scaled: boolean;
  /** W's rows are not in y's order: `order` has the row of y for each of them. Such stores are scalar where y is token-major. */
  readonly shuffled: boolean;
  /** Operands are batches of matrices that broadcast along up to three axes. */
  readonly batched: boolean;
}

export const fillKey = ({ order, width, ragged }: MatrixFill): string => `${order}:${width}${ragged ? "~" : ""}`;

function weightsKey(weights: Weights): string {
  switch (weights.kind) {
    case "matrix":
      return `matrix:${fillKey(weights.fill)}`;
    case "bands":
      return `bands:${weights.values}:${weights.slots}:${weights.band}`;
    case "columns":
      return `columns:${weights.values}:${weights.run}`;
    case "expand":
      return `expand:${weights.values}${weights.pairs ? ":pairs" : ""}`;
  }
}

export const TILE_UNIFORMS = {
  M: "u32",
  N: "u32",
  K: "u32",
  /** Elements from one row (or k) of X, W and Y in memory to the next. */
  xStride: "u32",
  wStride: "u32",
  yStride: "u32",
  /** Steps along K that each tile takes. */
  steps: "u32",
  /** Elements from one matrix of the batch to the next, along its three axes, innermost first. */
  batch0: "u32",
  batch1: "u32",
  xBatch0: "u32",
  xBatch1: "u32",
  xBatch2: "u32",
  wBatch0: "u32",
  wBatch1: "u32",
  wBatch2: "u32",
  yBatch: "u32",
} as const;
export type TileUniform = keyof typeof TILE_UNIFORMS;

/** Y = W · X, tile by tile: workgroups are [row tiles, token tiles, matrices of the batch]. */
export function tileShader(spec: TileShader): ShaderCode<string, TileUniform> {
  const { tile, weights, x, epilogue, scaled } = spec;
  const { rows, tokens, depth, threadRows, threadVectors } = tile;
  const lanes = tokens / (4 * threadVectors);
  const threads = threadsOf(tile);
  const slots = weights.kind === "bands" ? weights.slots : depth;
  const bindings: Record<string, Storage> = {
    w: input(weights.kind === "matrix" ? vectorType(weights.fill.width) : weightType(weights)),
    ...(weights.kind === "matrix"
      ? {}
      : { kept: input(weights.kind === "expand" && !weights.pairs ? "vec2<u32>" : "u32") }),
    ...(weights.kind === "columns" ? { starts: input("u32") } : {}),
    x: input(vectorType(x.width)),
    ...(epilogue.bias ? { bias: input(storeType(spec, "bias")) } : {}),
    ...(epilogue.residual ? { residual: input(storeType(spec, "y")) } : {}),
    ...(scaled ? { scales: input(storeType(spec, "bias")) } : {}),
    ...(spec.shuffled ? { order: input("u32") } : {}),
    y: output(storeType(spec, "y")),
  };
  return shader<string, TileUniform>({
    key: [
      `matmul/tile/${tileText(tile)}/${weightsKey(weights)}/${fillKey(x)}/${spec.yOrder}${spec.yVector ? "4" : "1"}${spec.whole ? "" : "~"}`,
      `${epilogueKey(epilogue)}${scaled ? "*" : ""}${spec.shuffled ? "/shuffled" : ""}${spec.batched ? "/batched" : ""}`,
    ].join("/"),
    workgroup: [threads],
    bindings,
    uniforms: TILE_UNIFORMS,
    declarations: () => wgsl`
      // k outermost; vectors run along tokens and along rows.
      var<workgroup> xs: array<vec4<f32>, ${lineVectors(tile, tokens)}>;
      var<workgroup> ws: array<vec4<f32>, ${weights.kind === "matrix" ? lineVectors(tile, rows) : weightVectors(weights, tile, threads)}>;
      ${storeText(spec)}
    `,
    body: (s) => {
      const gather = weights.kind === "columns" ? weights.run : null;
      const fillX = matrixFill(
        {
          ...x,
          name: "x",
          target: "xs",
          length: tokens,
          first: "token0",
          count: s.N!,
          stride: s.xStride!,
          base: spec.batched ? "x_base" : null,
          gather,
        },
        { tile, threads, K: s.K!, lane: s.lane },
      );
      const fillW =
        weights.kind === "matrix"
          ? matrixFill(
              {
                ...weights.fill,
                name: "w",
                target: "ws",
                length: rows,
                first: "row0",
                count: s.M!,
                stride: s.wStride!,
                base: spec.batched ? "w_base" : null,
                gather: null,
              },
              { tile, threads, K: s.K!, lane: s.lane },
            )
          : weightFill(weights, { tile, threads, lane: s.lane, steps: s.steps! });
      return wgsl`
        let row0 = ${s.group.x} * ${rows}u;
        let token0 = ${s.group.y} * ${tokens}u;
        ${spec.batched ? batchText(s as unknown as Record<string, Wgsl>, s.group.z) : []}
        let row_group = ${s.lane} / ${lanes}u;
        let column = ${s.lane} % ${lanes}u;
        let w_from = row_group * ${threadRows / 4}u;
        ${unroll(threadRows, (r) => unroll(threadVectors, (v) => wgsl`var sum_${r}_${v} = vec4<f32>();`))}
        ${weights.kind === "columns" ? COLUMNS_RANGE : wgsl`let steps = ${s.steps!};`}
        ${fillX.before}
        ${fillW.before}
        ${loopText(tile, { load: [fillX.load, fillW.load], store: [fillX.store, fillW.store] }, slotsText(spec, slots, lanes))}
        ${storeTile(spec, lanes)}
      `;
    },
  });
}

/** The loop along K. Unless it is rolled, the next step is on its way while one is multiplied. */
function loopText(
  { unroll: trip, rolled }: Tile,
  { load, store }: Pick<Fill, "load" | "store">,
  multiply: Piece,
): Piece {
  if (rolled) {
    return wgsl`
      for (var step = 0u; step < steps; step++) {
        ${load}
        workgroupBarrier();
        ${store}
        workgroupBarrier();
        ${multiply}
      }
    `;
  }
  return wgsl`
    var step = 0u;
    {
      ${load}
    }
    ${store}
    for (var done = 0u; done < steps; done += ${trip}u) {
      ${unroll(
        trip,
        (u) => wgsl`
          workgroupBarrier();
          step = min(done + ${u + 1}u, steps - 1u);
          {
            ${load}
          }
          ${multiply}
          workgroupBarrier();
          ${store}
        `,
      )}
    }
  `;
}

const COLUMNS_RANGE = wgsl`
  let first_step = starts[group_id.x];
  let steps = starts[group_id.x + 1u] - first_step;
`;

export const vectorType = (width: 1 | 2 | 4) => (width === 1 ? "f32" : (`vec${width}<f32>` as const));

/** y (and the residual) is stored in vectors along its inner axis; bias and scales lie along rows. */
const storeType = ({ yVector, yOrder }: TileShader, what: "y" | "bias") =>
  yVector && (what === "y" || yOrder === "token-major") ? "vec4<f32>" : "f32";

/** All kept k of a step. The places of bands are in registers, which no loop can number. */
const slotsText = (spec: TileShader, slots: number, lanes: number): Piece =>
  spec.tile.rolled && spec.weights.kind !== "bands"
    ? wgsl`
        for (var slot = 0u; slot < ${slots}u; slot++) {
          ${slotText(spec, "slot", lanes)}
        }
      `
    : unroll(slots, (slot) => slotText(spec, slot, lanes));

/** One kept k of each of the thread's rows, times its tokens. */
function slotText({ tile, weights }: TileShader, slot: number | "slot", lanes: number): Piece {
  const { rows, tokens, threadRows, threadVectors } = tile;
  const times = (line: (k: number) => number, pitch: number) =>
    slot === "slot" ? `slot * ${pitch}u` : `${line(slot) * pitch}u`;
  const line = (k: number) => lineOf(tile, k);
  const w = weights.kind === "matrix" ? times(line, linePitch(tile, rows)) : times((k) => k, rows / 4);
  const x = weights.kind === "bands" ? `column + place_${slot}` : `column + ${times(line, linePitch(tile, tokens))}`;
  return wgsl`
    {
      let x_at = ${x};
      let w_at = w_from + ${w};
      ${unroll(threadVectors, (v) => wgsl`let x_${v} = xs[x_at + ${v * lanes}u];`)}
      ${unroll(threadRows / 4, (j) => wgsl`let w_${j} = ws[w_at + ${j}u];`)}
      ${unroll(threadRows, (r) =>
        unroll(
          threadVectors,
          (v) => wgsl`sum_${r}_${v} = fma(vec4<f32>(w_${r >> 2}.${"xyzw"[r & 3]!}), x_${v}, sum_${r}_${v});`,
        ),
      )}
    }
  `;
}

/** Where the workgroup's matrices begin, in elements. */
const batchText = (s: Record<string, Wgsl>, z: Wgsl): Piece => wgsl`
  let batch_0 = ${z} % ${s.batch0!};
  let batch_1 = (${z} / ${s.batch0!}) % ${s.batch1!};
  let batch_2 = ${z} / (${s.batch0!} * ${s.batch1!});
  let x_base = batch_0 * ${s.xBatch0!} + batch_1 * ${s.xBatch1!} + batch_2 * ${s.xBatch2!};
  let w_base = batch_0 * ${s.wBatch0!} + batch_1 * ${s.wBatch1!} + batch_2 * ${s.wBatch2!};
  let y_base = ${z} * ${s.yBatch!};
`;
