import { type Func, f32, f32x4, i32, type Local } from "../../asm/index.js";
import { type KernelCode, kernelFunction } from "../../kernel.js";
import { emitDots } from "./dots.js";
import { ARGUMENTS, openChunk } from "./launch.js";
import { PANEL, panelStart } from "./pack.js";
import { emitTile } from "./tile.js";

type Int = Local<"i32">;

/** Rows of the register tile. With two vectors a row this takes the 15 vector registers that V8 gives out on x86-64. */
export const TILE_ROWS = 6;

/** Stores a tile times alpha at `to`, rows `stride` bytes apart. */
function storeTile(
  f: Func,
  sums: readonly Local<"v128">[],
  vectors: number,
  to: Int,
  stride: Int,
  alpha: Local<"v128">,
): void {
  const row = f.local("i32", to);
  sums.forEach((sum, i) => {
    if (i > 0 && i % vectors === 0) f.increment(row, stride);
    f.storeV128(row, f32x4.mul(sum, alpha), 16 * (i % vectors));
  });
  f.free(row);
}

/** Multiplies by B packed in panels (`packPanels`), N ≥ 8. Chunk: `partSize` rows of a matrix of y. */
export const multiplyPacked = (transA: boolean): KernelCode => ({
  key: `batch-matmul/packed/${transA ? "transposed" : "plain"}`,
  build: (device) =>
    kernelFunction(ARGUMENTS, (f, { chunk }, args) => {
      const { a, b, y, m, n, k, part, partSize, alpha } = openChunk(f, chunk, args);
      const firstRow = f.local("i32", i32.mul(part, partSize));
      const rows = f.local("i32", i32.sub(m, firstRow));
      f.if(i32.gt_s(rows, partSize), () => f.set(rows, partSize));
      const aStride = f.local("i32", i32.mul(4, transA ? m : k));
      const yStride = f.local("i32", i32.mul(4, n));
      f.increment(a, transA ? i32.mul(4, firstRow) : i32.mul(firstRow, aStride));
      f.increment(y, i32.mul(firstRow, yStride));
      const panels = f.local("i32", i32.div_s(i32.add(n, PANEL - 1), PANEL));
      const panelBytes = f.local("i32", i32.mul(k, 4 * PANEL));

      f.for(0, panels, 1, (panel) => {
        const start = panelStart(f, panel, n);
        const left = f.local("i32", a);
        const to = f.local("i32", i32.add(y, i32.mul(4, start)));
        const rest = f.local("i32", rows);
        const tile = (height: number): void => {
          const from = { order: transA ? "columns" : "rows", pointer: left, stride: aStride } as const;
          const sums = emitTile(f, device, height, PANEL / 4, k, from, { pointer: b, stride: 4 * PANEL });
          storeTile(f, sums, PANEL / 4, to, yStride, alpha);
          f.free(...sums);
        };
        f.while(i32.ge_s(rest, TILE_ROWS), () => {
          tile(TILE_ROWS);
          f.increment(left, transA ? 4 * TILE_ROWS : i32.mul(aStride, TILE_ROWS));
          f.increment(to, i32.mul(yStride, TILE_ROWS));
          f.increment(rest, -TILE_ROWS);
        });
        for (let height = TILE_ROWS - 1; height >= 1; height--) f.if(i32.eq(rest, height), () => tile(height));
        f.increment(b, panelBytes);
        f.free(start, left, to, rest);
      });
    }),
});

/** Vectors of a row's tile when there are few rows: as many as keep the multipliers busy. */
const WIDE: readonly number[] = [0, 8, 4, 3, 2, 2, 2];

/** Multiplies all rows of A, `rows` ≤ 6 of them, by B [K, N] as it is, N ≥ 8. Chunk: `partSize` columns (a multiple of 8) of a matrix of y. */
export const multiplyDirect = (rows: number, transA: boolean): KernelCode => ({
  key: `batch-matmul/direct/${rows}/${transA ? "transposed" : "plain"}`,
  build: (device) =>
    kernelFunction(ARGUMENTS, (f, { chunk }, args) => {
      const { a, b, y, m, n, k, part, partSize, alpha } = openChunk(f, chunk, args);
      const aStride = f.local("i32", i32.mul(4, transA ? m : k));
      const stride = f.local("i32", i32.mul(4, n));
      const column = f.local("i32", i32.mul(part, partSize));
      const end = f.local("i32", i32.add(column, partSize));
      f.if(i32.gt_s(end, n), () => f.set(end, n));
      const tile = (vectors: number): void => {
        const right = f.local("i32", i32.add(b, i32.mul(4, column)));
        const to = f.local("i32", i32.add(y, i32.mul(4, column)));
        const from = { order: transA ? "columns" : "rows", pointer: a, stride: aStride } as const;
        const sums = emitTile(f, device, rows, vectors, k, from, { pointer: right, stride });
        storeTile(f, sums, vectors, to, stride, alpha);
        f.free(right, to, ...sums);
      };
      const wide = WIDE[rows]!;
      f.while(i32.le_s(i32.add(column, 4 * wide), end), () => {
        tile(wide);
        f.increment(column, 4 * wide);
      });
      f.while(i32.lt_s(column, end), () => {
        // The last columns are computed with some before them again.
        f.if(i32.gt_s(i32.add(column, PANEL), n), () => f.set(column, i32.sub(n, PANEL)));
        tile(2);
        f.increment(column, PANEL);
      });
    }),
});

/** Multiplies A [M, K] by B [N, K]ᵀ as it is, by dot products along K. Chunk: `partSize` columns of a matrix of y. */
export const multiplyDots: KernelCode = {
  key: "batch-matmul/dots",
  build: (device) =>
    kernelFunction(ARGUMENTS, (f, { chunk }, args) => {
      const { a, b, y, m, n, k, part, partSize, alpha } = openChunk(f, chunk, args);
      const kBytes = f.local("i32", i32.mul(4, k));
      const yStride = f.local("i32", i32.mul(4, n));
      const first = f.local("i32", i32.mul(part, partSize));
      const end = f.local("i32", i32.add(first, partSize));
      f.if(i32.gt_s(end, n), () => f.set(end, n));
      f.increment(b, i32.mul(first, kBytes));
      f.increment(y, i32.mul(4, first));
      f.for(0, m, 1, () => {
        const right = f.local("i32", b);
        const to = f.local("i32", y);
        const rest = f.local("i32", i32.sub(end, first));
        f.while(i32.ge_s(rest, 4), () => {
          f.storeV128(to, f32x4.mul(emitDots(f, device, 4, a, right, k, kBytes), alpha));
          f.increment(right, i32.mul(kBytes, 4));
          f.increment(to, 16);
          f.increment(rest, -4);
        });
        f.while(rest, () => {
          f.store32Lane(to, f32x4.mul(emitDots(f, device, 1, a, right, k, kBytes), alpha), 0);
          f.increment(right, kBytes);
          f.increment(to, 4);
          f.increment(rest, -1);
        });
        f.increment(a, kBytes);
        f.increment(y, yStride);
        f.free(right, to, rest);
      });
    }),
};

/** Any operands, one element of y after the other: for the few shapes that the others leave. Chunk: `partSize` rows of a matrix of y. */
export const multiplyNarrow = (transA: boolean, transB: boolean): KernelCode => ({
  key: `batch-matmul/narrow/${transA}/${transB}`,
  build: () =>
    kernelFunction(ARGUMENTS, (f, { chunk }, args) => {
      const { a, b, y, m, n, k, part, partSize, alpha } = openChunk(f, chunk, args);
      const first = f.local("i32", i32.mul(part, partSize));
      const end = f.local("i32", i32.add(first, partSize));
      f.if(i32.gt_s(end, m), () => f.set(end, m));
      f.increment(y, i32.mul(4, i32.mul(first, n)));
      const [aRow, aTerm] = [f.local("i32", transA ? 4 : i32.mul(4, k)), f.local("i32", transA ? i32.mul(4, m) : 4)];
      const [bColumn, bTerm] = [f.local("i32", transB ? i32.mul(4, k) : 4), f.local("i32", transB ? 4 : i32.mul(4, n))];
      const sum = f.local("f32");
      f.for(first, end, 1, (row) => {
        f.for(0, n, 1, (column) => {
          const left = f.local("i32", i32.add(a, i32.mul(row, aRow)));
          const right = f.local("i32", i32.add(b, i32.mul(column, bColumn)));
          f.set(sum, 0);
          f.for(0, k, 1, () => {
            f.set(sum, f32.add(sum, f32.mul(f32.load(left), f32.load(right))));
            f.increment(left, aTerm);
            f.increment(right, bTerm);
          });
          f.storeF32(y, f32.mul(sum, f32x4.extract_lane(alpha, 0)));
          f.increment(y, 4);
          f.free(left, right);
        });
      });
    }),
});
