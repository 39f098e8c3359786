import type { Value } from "../../../../graph/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { type Argument, type DeviceInfo, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { madd } from "../../math.js";
import { fences } from "./fences.js";
import { denseRowsBuffer, type PanelMultiply } from "./panel.js";
import { transpose } from "./panels.js";
import { storeBlock } from "./store.js";

type I = Local<"i32">;

/** Tokens up to which dot products beat panels. */
export const MOST_DOTS = 2;

/** Rows of W that are taken together with so many tokens, and partial sums of each dot product: 8 accumulators. */
const TILES = [
  { rows: 0, sets: 0 },
  { rows: 4, sets: 2 },
  { rows: 4, sets: 1 },
] as const;

/** Rows of a chunk: a multiple of every tile's. */
const BLOCK = 24;

export interface Dots extends Omit<PanelMultiply, "panels" | "schedule"> {
  readonly weight: Value;
  readonly K: number;
  /** At most MOST_DOTS. */
  readonly N: number;
  /** x [N, K], as it lies. */
  readonly x: Argument;
}

/**
 * Y = W · X for a dense W and a few tokens (decoding): dot products along the inputs, W read once, in order. For one token, 8 vectors of W and
 * 2 of x for 8 multiply-adds of 4 lanes: 32 weights in 5 cycles, several times what memory delivers.
 */
export function lowerDots(spec: Dots, to: Lowering): void {
  const { N, K, order, epilogue, x, y, yStride, bias = 0, residual = 0 } = spec;
  const { buffer: w, M } = denseRowsBuffer(spec, to);
  const block = BLOCK * Math.max(1, Math.min(8, Math.floor(M / BLOCK / (4 * to.device.threads))));
  const chunks = Math.ceil(M / block);
  const sums = to.scratch(chunks * block * 16);
  to.launch(dotsCode(N, order, epilogue), [x, sums, y, bias, residual, yStride * 4, K, w, M, block], chunks);
}

function dotsCode(tokens: number, order: Order, epilogue: Epilogue): KernelCode {
  return {
    key: `matmul/dots/${tokens}/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(10, (f, { chunk }, args) => {
        const [x, sums, y, bias, residual, stride, K, w, M, block] = args as [I, I, I, I, I, I, I, I, I, I];
        const row = f.local("i32", i32.mul(chunk, block));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, block));
        f.increment(sums, i32.mul(row, 16));
        f.increment(w, i32.mul(i32.mul(row, K), 4));
        const stretch = f.local("i32", i32.shl(K, 2));
        const out = f.local("i32", sums);
        const end = f.local("i32", i32.add(sums, i32.mul(rows, 16)));
        const tile = TILES[tokens as 1]!;
        f.doWhile(
          () => {
            dotTile(f, tokens, tile, { w, x, stretch, sums: out }, device);
            f.increment(w, i32.mul(stretch, tile.rows));
            f.increment(out, 16 * tile.rows);
          },
          () => i32.lt_u(out, end),
        );
        const column = f.local("i32", 0);
        const N = f.local("i32", tokens);
        const at = { sums, rows, row, column, N, y, stride, bias, residual, scales: bias };
        storeBlock(f, { width: 1, pitch: 16, order, epilogue, scaled: false }, at, device);
      }),
  };
}

/** Dot products of `rows` rows of W with all tokens; each row's are stored as the lanes of one vector. */
function dotTile(
  f: Func,
  tokens: number,
  { rows, sets }: { readonly rows: number; readonly sets: number },
  at: { w: I; x: I; stretch: I; sums: I },
  device: DeviceInfo,
): void {
  const sums = Array.from({ length: rows }, () => f.localArray("v128", 4));
  for (const sum of sums.flat()) f.set(sum, f32x4.const(0));
  const w = pointers(f, rows, at.w, at.stretch);
  const x = pointers(f, tokens, at.x, at.stretch);
  const columns = f.localArray("v128", tokens);
  const weight = f.local("v128");
  const fence = fences(f, w[0]!);
  const step = (read: (pointer: I) => ReturnType<typeof f32x4.const>, set: number, last: boolean): void => {
    columns.forEach((column, t) => f.set(column, read(x[t]!)));
    w.forEach((pointer, r) => {
      f.set(weight, read(pointer));
      columns.forEach((column, t) => {
        const sum = sums[r]![sets * t + set]!;
        f.set(sum, madd(weight, column, sum, device));
      });
      if (!(last && r === rows - 1)) fence(1);
    });
  };
  const end = f.local("i32");
  const loop = (bytes: ReturnType<typeof i32.add>, advance: number, body: () => void): void => {
    f.set(end, i32.add(w[0]!, bytes));
    f.if(i32.lt_u(w[0]!, end), () =>
      f.doWhile(
        () => {
          body();
          for (const pointer of [...w, ...x]) f.increment(pointer, advance);
        },
        () => i32.lt_u(w[0]!, end),
      ),
    );
  };
  const whole = 16 * sets;
  loop(i32.and(at.stretch, -whole), whole, () => {
    for (let set = 0; set < sets; set++) step((pointer) => v128.load(pointer, 16 * set), set, set === sets - 1);
  });
  loop(i32.and(at.stretch, whole - 1), 4, () => step((pointer) => v128.load32_zero(pointer), 0, true));
  sums.forEach((row, r) => {
    const lanes = transpose(f, sets === 2 ? [f32x4.add(row[0]!, row[1]!), row[2]!, row[3]!, row[3]!] : row);
    const [a, b, c, d] = lanes as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
    f.storeV128(at.sums, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)), 16 * r);
    f.free(...lanes);
  });
  f.free(...sums.flat(), ...w, ...x, ...columns, weight, end);
}

/** `count` locals, `stride` bytes apart. */
function pointers(f: Func, count: number, first: I, stride: I): I[] {
  const list = f.localArray("i32", count);
  list.forEach((pointer, i) => f.set(pointer, i === 0 ? first : i32.add(list[i - 1]!, stride)));
  return list;
}
