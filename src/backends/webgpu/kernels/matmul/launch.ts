import type { Epilogue, Order } from "../../../specs/matmul/epilogue.js";
import type { Binding, Buffer, Lowering, Workgroups } from "../../kernel.js";
import { type MatrixFill, transposedDepth } from "./fill-matrix.js";
import { type TileUniform, tileShader, type Weights } from "./tile.js";
import { type Tile, threadsOf } from "./tiling.js";

/** A dense matrix in memory. */
export interface Matrix {
  readonly buffer: Buffer;
  readonly order: Order;
  /** Elements from one matrix of the batch to the next, along its three axes, outermost first. */
  readonly batch: readonly [number, number, number];
}

export interface TileLaunch {
  readonly tile: Tile;
  readonly M: number;
  /** The rows of y that the launch makes, and that `weights` has, where these are not all. `begin` is a multiple of `ALIGNED_ROWS`. */
  readonly begin?: number;
  readonly end?: number;
  readonly K: number;
  readonly N: number;
  readonly weights:
    | { readonly dense: Matrix }
    | {
        readonly fill: Exclude<Weights, { kind: "matrix" }>;
        readonly buffers: Readonly<Record<string, Buffer>>;
        readonly steps: number;
        readonly padded: boolean;
      };
  readonly x: Matrix;
  readonly y: Buffer;
  readonly yOrder: Order;
  /** Sizes of the batch's axes, outermost first. */
  readonly batch: readonly [number, number, number];
  readonly epilogue: Epilogue;
  readonly bias: Buffer | null;
  readonly residual: Buffer | null;
  readonly scales: Buffer | null;
  /** The row of y for each row of W, u32, where they are in another order; then all rows are made. */
  readonly order?: Buffer | null;
}

/** How an operand of `length` columns (or rows of W) is read. */
function fillOf(
  tile: Tile,
  length: "tokens" | "rows",
  order: Order,
  [K, count]: [number, number],
  gather: number | null,
  ragged: boolean,
): MatrixFill {
  if (order === "feature-major") return { order, width: count % 4 === 0 ? 4 : 1, ragged };
  const deep = transposedDepth(tile, tile[length], threadsOf(tile), gather);
  const width = K % deep === 0 ? deep : K % 2 === 0 && deep >= 2 ? 2 : 1;
  return { order, width, ragged };
}

/** y and what is added to it, from row `begin` on. */
export function resultBindings(
  spec: Pick<TileLaunch, "begin" | "N" | "yOrder" | "y" | "bias" | "residual" | "scales">,
): Record<string, Binding> {
  const { begin = 0, N, yOrder } = spec;
  const from = (buffer: Buffer, offset: number): Binding =>
    begin === 0 ? buffer : { buffer, offset, bytes: buffer.bytes - offset };
  const inner = 4 * begin * (yOrder === "token-major" ? 1 : N);
  const bindings: Record<string, Binding> = { y: from(spec.y, inner) };
  if (spec.residual !== null) bindings.residual = from(spec.residual, inner);
  for (const name of ["bias", "scales"] as const) if (spec[name] !== null) bindings[name] = from(spec[name], 4 * begin);
  return bindings;
}

/** Adds the launch that multiplies. */
export function launchTile(to: Lowering, spec: TileLaunch): void {
  const { tile, begin = 0, end = spec.M, K, N, weights, x, yOrder, batch, epilogue } = spec;
  const M = end - begin;
  const shuffled = (spec.order ?? null) !== null;
  const count = batch[0] * batch[1] * batch[2];
  const ragged = K % (tile.depth * tile.unroll) !== 0;
  const dense = "dense" in weights;
  const gather = !dense && weights.fill.kind === "columns" ? weights.fill.run : null;
  const code = tileShader({
    tile,
    weights: dense
      ? { kind: "matrix", fill: fillOf(tile, "rows", weights.dense.order, [K, M], null, ragged) }
      : weights.fill,
    x: fillOf(tile, "tokens", x.order, [K, N], gather, dense ? ragged : weights.padded),
    yOrder,
    yVector: (yOrder === "token-major" ? spec.M : N) % 4 === 0 && !(shuffled && yOrder === "token-major"),
    whole: M % tile.rows === 0 && N % tile.tokens === 0,
    epilogue,
    scaled: spec.scales !== null,
    shuffled,
    batched: count > 1,
  });
  const strideOf = (order: Order, length: number) => (order === "token-major" ? K : length);
  const wBatch = dense ? weights.dense.batch : [0, 0, 0];
  const uniforms: Record<TileUniform, number> = {
    ...{ M, N, K, xStride: strideOf(x.order, N), wStride: dense ? strideOf(weights.dense.order, M) : 0 },
    yStride: yOrder === "token-major" ? spec.M : N,
    steps: dense ? Math.ceil(K / (tile.depth * tile.unroll)) * tile.unroll : weights.steps,
    ...{ batch0: batch[2], batch1: batch[1], yBatch: spec.M * N },
    ...{ xBatch0: x.batch[2], xBatch1: x.batch[1], xBatch2: x.batch[0] },
    ...{ wBatch0: wBatch[2]!, wBatch1: wBatch[1]!, wBatch2: wBatch[0]! },
  };
  const bindings: Record<string, Binding> = {
    ...(dense ? { w: weights.dense.buffer } : weights.buffers),
    x: x.buffer,
    ...resultBindings(spec),
    ...(shuffled ? { order: spec.order! } : {}),
  };
  const groups: Workgroups = [Math.ceil(M / tile.rows), Math.ceil(N / tile.tokens), count];
  to.launch(code, bindings, uniforms, groups);
}
