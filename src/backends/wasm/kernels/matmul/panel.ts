import type { Constant, Value } from "../../../../graph/index.js";
import type { SparseTensor, ValueDataType } from "../../../../layouts/index.js";
import { NonzeroError, type Tensor } from "../../../../tensor/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import { denseRows, isSparse, type RowRange } from "../../../specs/matmul/weights.js";
import { type Func, i32, type Local } from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { denseRowsFor, denseTile, passesOf, storeSums } from "./dense-tile.js";
import { forWidths, type Panels, panelsOf, widthsOf } from "./panels.js";
import { forSlabs } from "./slabs.js";
import { type StoreShape, storeBlock, storesTiles, storeTile } from "./store.js";
import { HEADER_BYTES, type Stream, streamOf, writeStream } from "./stream.js";
import { type StreamTile, streamTile, streamWidth } from "./stream-tile.js";

/**
 * Y = W · X for a constant W [M, K], dense or sparse in any layout, and X [K, N] packed in panels: the heart of MatMul, Gemm,
 * Linear and of convolutions.
 *
 * How a convolution uses it: `panelsFor(weight, rows, K, N, to)` says how X is to be cut; pack X as `Panels` describes
 * (`pack` for a 1×1 convolution's [K, N]; a packer of one's own for im2col, K in the order of the weight's matrix: for `perm`
 * [0, 2, 3, 1] kernel positions × input channels, channels innermost); then `lowerPanelMultiply`. `rows` picks a group's outputs.
 *
 * A chunk is one panel × one block of rows: for each slab of K, for each strip of rows, a tile of accumulators in registers; sums
 * rest in a scratch [rows, pitch] of the thread between slabs, which the chunk finishes and stores at its end. Panels are innermost in the
 * order of chunks, so that a block of W stays in the second cache while the panels pass; a slab of a panel stays in the first.
 */
export interface PanelMultiply {
  /** A constant: a float32 tensor or a SparseTensor. */
  readonly weight: Value;
  /** `toMatrix`'s axes for a dense weight; a sparse one has its own. */
  readonly perm: readonly number[];
  /** The matrix's rows to multiply; all of them when absent. */
  readonly rows?: RowRange;
  readonly panels: Panels;
  /** X packed. */
  readonly x: Argument;
  readonly y: Argument;
  /** "feature-major": y is [M, N]; "token-major": [N, M]. */
  readonly order: Order;
  /** Elements between y's rows: N or M when y is contiguous. The residual has the same. */
  readonly yStride: number;
  readonly epilogue: Epilogue;
  /** float32, one for each of the M rows; with `epilogue.bias`. */
  readonly bias?: Argument;
  /** With `epilogue.residual`. */
  readonly residual?: Argument;
  readonly schedule?: PanelSchedule;
}

export interface PanelSchedule {
  /** Vectors of the widest panel, at most. */
  readonly width: number;
  /** Inputs of a slab: a multiple of 8, more than 64. */
  readonly slab: number;
  /** Rows of a block of a dense W. */
  readonly block: number;
}

/** What a slab of a panel may take of the first cache (48 KB on the processors of 2024, 32 KB before): 6 vectors × 384 inputs, 12 × 192. */
const SLAB_BYTES = 36 * 1024;

/**
 * The schedule where none is given. Where few entries are kept, a longer slab costs misses in the first cache but saves carrying
 * sums from slab to slab; rows of X that are two whole cache lines make such misses fewer. Narrow panels (few `tokens`) hide no misses.
 */
export function scheduleFor(weight: Constant, tokens = Number.POSITIVE_INFINITY): PanelSchedule {
  if (!isSparse(weight)) return { width: 6, slab: 384, block: 96 };
  const { rows, cols, parts } = weight.stored;
  const density = parts.values!.size / (rows * cols);
  if (density >= 0.15) return { width: 12, slab: 192, block: 0 };
  const most = tokens <= FEW_TOKENS ? FEW_TOKENS_SLAB : MOST_SLAB;
  const slab = Math.min(most, Math.max(72, Math.ceil(cols / 8) * 8));
  const { share } = streamOf(weight, [0, rows], slab);
  return { width: share === 1 && density >= 0.07 ? 8 : 12, slab, block: 0 };
}
/** Inputs of the longest slab: of X in panels of 8 vectors, 128 KB, which the second cache delivers. */
const MOST_SLAB = 1024;
const FEW_TOKENS = 32;
const FEW_TOKENS_SLAB = 384;

/** How X [K, N] is to be packed for this weight. */
export function panelsFor(
  weight: Value,
  rows: RowRange | undefined,
  K: number,
  N: number,
  to: Pick<Lowering, "constant">,
  schedule?: PanelSchedule,
): Panels {
  const constant = to.constant(weight)!;
  const { slab, width } = schedule ?? scheduleFor(constant);
  if (!isSparse(constant)) return panelsOf(K, N, width);
  const { share, dtype } = streamOf(constant, rows ?? [0, constant.stored.rows], slab);
  return panelsOf(K, N, Math.min(width, share === 1 ? 12 : 2 * streamWidth(share, dtype)));
}

/** Adds the launches of Y = W · X. */
export function lowerPanelMultiply(spec: PanelMultiply, to: Lowering): void {
  const constant = to.constant(spec.weight);
  if (constant === undefined) throw new NonzeroError("unsupported", "a weight that is not a constant");
  if (isSparse(constant)) lowerSparse(spec, constant, to);
  else lowerDense(spec, constant, to);
}

/** Arguments that both kernels begin with; `rows` are a chunk's, at most. Sums are a thread's own, so that they stay in its cache. */
function sharedArguments(spec: PanelMultiply, rows: number, to: Lowering): Argument[] {
  const { panels, x, y, yStride, bias = 0, residual = 0 } = spec;
  const bytes = rows * panels.pitch;
  const sums = to.scratch(to.device.threads * bytes);
  return [x, sums, y, bias, residual, yStride * 4, panels.N, panels.K, panels.count, panels.wideCount, bytes];
}
const SHARED = 11;

function lowerDense(spec: PanelMultiply, weight: Tensor, to: Lowering): void {
  const { panels, order, epilogue } = spec;
  const schedule = spec.schedule ?? scheduleFor(weight);
  const { buffer: w, M } = denseRowsBuffer(spec, to);
  const tall = denseRowsFor(passesOf(panels.wide, DENSE_PASS)[0]!.vectors);
  const blocks = Math.max(1, Math.min(Math.ceil(M / TALLEST), Math.ceil(M / schedule.block)));
  const block = Math.ceil(M / blocks / TALLEST) * TALLEST;
  const count = Math.ceil(M / block);
  const slab = Math.max(schedule.slab, (SLAB_BYTES / panels.pitch) & -8);
  const code = denseCode({ widths: widthsOf(panels), tall, order, epilogue, slab });
  to.launch(code, [...sharedArguments(spec, block, to), w, M, block], count * panels.count);
}

/** A dense weight's rows, row-major, and their number; followed by rows of zeros up to a multiple of 24, so that every tile is whole, whatever its height. */
export function denseRowsBuffer(
  { weight, perm, rows }: Pick<PanelMultiply, "weight" | "perm" | "rows">,
  to: Lowering,
): { buffer: Buffer; M: number } {
  const tensor = to.constant(weight) as Tensor;
  const all = tensor.shape[perm[0]!]!;
  const range: RowRange = rows ?? [0, all];
  const M = range[1] - range[0];
  const padded = Math.ceil(M / TALLEST) * TALLEST;
  const buffer = to.prepared(weight, `matmul/dense/${perm}/${range}`, (padded * tensor.size * 4) / all, (target) => {
    const values = denseRows(tensor, perm, range);
    target.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  });
  return { buffer, M };
}

const DENSE_PASS = 6;
const TALLEST = 24;
type I = Local<"i32">;

interface DenseShape {
  readonly widths: readonly number[];
  readonly tall: number;
  readonly order: Order;
  readonly epilogue: Epilogue;
  readonly slab: number;
}

function denseCode({ widths, tall, order, epilogue, slab }: DenseShape): KernelCode {
  return {
    key: `matmul/dense/${widths}/${tall}/${slab}/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(SHARED + 3, (f, { chunk, thread }, args) => {
        const [x, sums, y, bias, residual, stride, N, K, panels, wideCount, sumBytes] = args as unknown as Shared;
        const [w, M, block] = args.slice(SHARED) as [I, I, I];
        const pitch = 16 * widths[0]!;
        const p = f.local("i32", i32.rem_u(chunk, panels));
        const row = f.local("i32", i32.mul(i32.div_u(chunk, panels), block));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, block));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.increment(w, i32.mul(i32.mul(row, K), 4));
        const rowBytes = f.local("i32", i32.shl(K, 2));
        forWidths(f, widths, p, wideCount, (width, column) => {
          forSlabs(f, { x, p, K, pitch, slab }, (slabX, { inputs, fresh }) => {
            const out = f.local("i32", sums);
            const end = f.local("i32", i32.add(sums, i32.mul(rows, pitch)));
            const from = f.local("i32", w);
            f.doWhile(
              () => {
                for (const pass of passesOf(width, DENSE_PASS)) {
                  const at = { w: from, stride: rowBytes, x: slabX, inputs, sums: out, fresh };
                  denseTile(f, { rows: tall, ...pass, pitch }, at, device);
                }
                f.increment(from, i32.mul(rowBytes, tall));
                f.increment(out, tall * pitch);
              },
              () => i32.lt_u(out, end),
            );
            f.increment(w, i32.shl(inputs, 2));
            f.free(out, end, from);
          });
          const at = { sums, rows, row, column, N, y, stride, bias, residual, scales: bias };
          storeBlock(f, { width, pitch, order, epilogue, scaled: false }, at, device);
        });
      }),
  };
}
type Shared = [I, I, I, I, I, I, I, I, I, I, I];

/** The stream of a sparse weight's rows, where it lies, and the rows of its tallest block. */
export function preparedStream(
  value: Value,
  weight: SparseTensor,
  range: RowRange,
  slab: number,
  to: Lowering,
): { stream: Stream; buffer: Buffer; tallest: number } {
  const stream = streamOf(weight, range, slab, to.device.threads);
  const buffer = to.prepared(value, `matmul/stream/${slab}/${range}`, stream.bytes, (target) =>
    writeStream(weight, range, stream, target),
  );
  const strips = stream.blocks.reduce((most, end, b) => Math.max(most, end - (stream.blocks[b - 1] ?? 0)), 0);
  return { stream, buffer, tallest: stream.share * strips };
}

function lowerSparse(spec: PanelMultiply, weight: SparseTensor, to: Lowering): void {
  const { panels, order, epilogue } = spec;
  const range: RowRange = spec.rows ?? [0, weight.stored.rows];
  const { slab } = spec.schedule ?? scheduleFor(weight);
  const { stream, buffer: w, tallest } = preparedStream(spec.weight, weight, range, slab, to);
  const { share, dtype, scales } = stream;
  const scaled = scales > 0;
  const code = streamCode({ widths: widthsOf(panels), share, dtype, scaled, order, epilogue, slab });
  const args = [...sharedArguments(spec, tallest, to), w, scales];
  to.launch(code, args, (stream.blocks.length - 1) * panels.count);
}

/**
 * Reads one word of each cache line of `bytes` bytes: memory delivers lines in sequence several times as fast as in the order in which the first
 * strips of a block happen upon them.
 */
function bring(f: Func, from: I, bytes: ReturnType<typeof i32.mul>): void {
  const line = f.local("i32", from);
  const end = f.local("i32", i32.add(from, bytes));
  f.doWhile(
    () => {
      f.drop(i32.load(line));
      f.increment(line, CACHE_LINE);
    },
    () => i32.lt_u(line, end),
  );
  f.free(line, end);
}
const CACHE_LINE = 64;

interface StreamShape extends Omit<DenseShape, "tall"> {
  readonly share: 1 | 2;
  readonly dtype: ValueDataType;
  readonly scaled: boolean;
}

function streamCode({ widths, share, dtype, scaled, order, epilogue, slab }: StreamShape): KernelCode {
  const most = streamWidth(share, dtype);
  return {
    key: `matmul/stream/${share}/${dtype}${scaled ? "*" : ""}/${widths}/${slab}/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(SHARED + 2, (f, { chunk, thread }, args) => {
        const [x, sums, y, bias, residual, stride, N, K, panels, wideCount, sumBytes] = args as unknown as Shared;
        const [stream, scales] = args.slice(SHARED) as [I, I];
        const pitch = 16 * widths[0]!;
        const p = f.local("i32", i32.rem_u(chunk, panels));
        const entry = f.local("i32", i32.add(stream, i32.mul(i32.div_u(chunk, panels), 12)));
        const row = f.local("i32", i32.mul(i32.load(entry, 0), share));
        const rows = f.local("i32", i32.sub(i32.mul(i32.load(entry, 4), share), row));
        const w = f.local("i32", i32.add(stream, i32.load(entry, 8)));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.increment(scales, stream);
        forWidths(f, widths, p, wideCount, (width, column) => {
          const shape: StoreShape = { width, pitch, order, epilogue, scaled };
          // Sums of a whole panel go from the last slab's registers to y; those of a panel that ends amid a vector, or that take more to
          // finish, by way of the thread's scratch.
          const direct = f.local("i32", 0);
          if (storesTiles(order, epilogue)) f.set(direct, i32.ge_s(i32.sub(N, column), 4 * width));
          const corner = f.local("i32", i32.add(y, i32.add(i32.mul(row, stride), i32.shl(column, 2))));
          forSlabs(f, { x, p, K, pitch, slab }, (slabX, { inputs, fresh, last }) => {
            f.set(last, i32.and(last, direct));
            bring(f, slabX, i32.mul(inputs, pitch));
            const out = f.local("i32");
            const strip = f.local("i32");
            const lines = f.localArray("i32", share);
            const left = f.local("i32", rows);
            const quads = f.local("i32");
            const singles = f.local("i32");
            const from = f.local("i32");
            f.doWhile(
              () => {
                f.set(quads, i32.load(w, 0));
                f.set(singles, i32.load16_u(w, 4));
                f.set(strip, i32.mul(i32.load16_u(w, 6), share));
                f.set(out, i32.add(sums, i32.mul(strip, pitch)));
                f.set(lines[0]!, i32.add(corner, i32.mul(strip, stride)));
                if (share === 2) f.set(lines[1]!, i32.add(lines[0]!, stride));
                f.increment(strip, row);
                f.increment(w, HEADER_BYTES);
                for (const pass of passesOf(width, most)) {
                  f.set(from, w);
                  const store: StreamTile["store"] = (tile) =>
                    f.if(
                      last,
                      () => storeTile(f, shape, tile, pass.first, { rows: lines, row: strip, bias, scales }, device),
                      () => storeSums(f, tile, (r, j) => r * pitch + 16 * (pass.first + j), out),
                    );
                  const at = { w: from, quads, singles, x: slabX, sums: out, fresh };
                  streamTile(f, { share, ...pass, pitch, dtype, store }, at, device);
                }
                f.set(w, from);
                f.increment(left, -share);
              },
              () => left,
            );
            f.free(out, strip, ...lines, left, quads, singles, from);
          });
          f.if(i32.eqz(direct), () =>
            storeBlock(f, shape, { sums, rows, row, column, N, y, stride, bias, residual, scales }, device),
          );
          f.free(direct, corner);
        });
      }),
  };
}
