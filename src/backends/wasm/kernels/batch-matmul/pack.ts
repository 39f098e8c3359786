import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import { type KernelCode, kernelFunction } from "../../kernel.js";

/** Columns of a packed panel: two vectors. */
export const PANEL = 8;

/** First column of panel number `panel` of `n` ≥ PANEL columns: the last one starts early enough to be whole. */
export const panelStart = (f: Func, panel: Local<"i32">, n: Local<"i32">): Local<"i32"> => {
  const start = f.local("i32", i32.mul(panel, PANEL));
  f.if(i32.gt_s(start, i32.sub(n, PANEL)), () => f.set(start, i32.sub(n, PANEL)));
  return start;
};

/** The 4×4 transpose of four vectors. */
export function transpose4(f: Func, rows: readonly Local<"v128">[]): void {
  const [a, b, c, d] = rows as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
  const [lowAB, highAB, lowCD, highCD] = f.localArray("v128", 4) as [typeof a, typeof a, typeof a, typeof a];
  f.set(lowAB, v128.shuffle32(a, b, [0, 4, 1, 5]));
  f.set(highAB, v128.shuffle32(a, b, [2, 6, 3, 7]));
  f.set(lowCD, v128.shuffle32(c, d, [0, 4, 1, 5]));
  f.set(highCD, v128.shuffle32(c, d, [2, 6, 3, 7]));
  f.set(a, v128.shuffle32(lowAB, lowCD, [0, 1, 4, 5]));
  f.set(b, v128.shuffle32(lowAB, lowCD, [2, 3, 6, 7]));
  f.set(c, v128.shuffle32(highAB, highCD, [0, 1, 4, 5]));
  f.set(d, v128.shuffle32(highAB, highCD, [2, 3, 6, 7]));
  f.free(lowAB, highAB, lowCD, highCD);
}

/**
 * Packs matrices B [K, N] (or [N, K], `transposed`) into panels [ceil(N / 8)][K][8], panel p holding columns from `panelStart`.
 * Arguments: b, packed, K, N, panels of a matrix. Chunk: a panel of a matrix.
 */
export const packPanels = (transposed: boolean): KernelCode => ({
  key: `batch-matmul/pack/${transposed ? "transposed" : "plain"}`,
  build: () =>
    kernelFunction(5, (f, { chunk }, args) => {
      const [b, packed, k, n, panels] = args as [Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">];
      const panel = f.local("i32", i32.rem_u(chunk, panels));
      const matrix = f.local("i32", i32.mul(i32.div_u(chunk, panels), i32.mul(4, i32.mul(k, n))));
      const to = f.local("i32", i32.add(packed, i32.mul(chunk, i32.mul(k, 4 * PANEL))));
      const start = panelStart(f, panel, n);
      if (transposed) packTransposed(f, f.local("i32", i32.add(b, matrix)), to, k, start);
      else packPlain(f, f.local("i32", i32.add(b, matrix)), to, k, n, start);
    }),
});

type Int = Local<"i32">;

function packPlain(f: Func, b: Int, to: Int, k: Int, n: Int, start: Int): void {
  f.increment(b, i32.mul(4, start));
  const step = f.local("i32", i32.mul(4, n));
  f.for(0, k, 1, () => {
    f.storeV128(to, v128.load(b));
    f.storeV128(to, v128.load(b, 16), 16);
    f.increment(to, 4 * PANEL);
    f.increment(b, step);
  });
}

/** Four terms of k at a time by 4×4 transposes, the rest one by one. */
function packTransposed(f: Func, b: Int, to: Int, k: Int, start: Int): void {
  const step = f.local("i32", i32.mul(4, k));
  f.increment(b, i32.mul(start, step));
  const columns = [b];
  for (let c = 1; c < PANEL; c++) columns.push(f.local("i32", i32.add(columns[c - 1]!, step)));
  const rest = f.local("i32", k);
  const rows = f.localArray("v128", 4);
  f.while(i32.ge_s(rest, 4), () => {
    for (const half of [0, 4]) {
      rows.forEach((row, c) => {
        f.set(row, v128.load(columns[half + c]!));
      });
      transpose4(f, rows);
      rows.forEach((row, i) => {
        f.storeV128(to, row, i * 4 * PANEL + half * 4);
      });
    }
    for (const column of columns) f.increment(column, 16);
    f.increment(to, 16 * PANEL);
    f.increment(rest, -4);
  });
  f.while(rest, () => {
    columns.forEach((column, c) => {
      f.storeI32(to, i32.load(column), 4 * c);
    });
    for (const column of columns) f.increment(column, 4);
    f.increment(to, 4 * PANEL);
    f.increment(rest, -1);
  });
}
