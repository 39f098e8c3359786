import type { Value } from "../../../../graph/index.js";
import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import { i32, type Local } from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { passesOf } from "../matmul/dense-tile.js";
import { forWidths, type Panels, widthsOf } from "../matmul/panels.js";
import { forSlabs } from "../matmul/slabs.js";
import { storeBlock } from "../matmul/store.js";
import type { Dot } from "./dot.js";
import { integerTile, mostVectors } from "./tile.js";

type I = Local<"i32">;

/**
 * Y = W · X for many tokens: words of W [M, words] times X packed in panels of words, as kernels/matmul/panel.ts has it for floats. A chunk
 * is one panel × one block of rows, slab after slab of words; sums rest in a scratch of the thread between slabs, become floats in the last, and
 * are finished and stored at the chunk's end.
 */
export interface PanelProduct {
  readonly weight: Value;
  readonly dot: Dot;
  /** `K` counts words. */
  readonly panels: Panels;
  /** X packed. */
  readonly x: Buffer;
  /** [N, M]. */
  readonly y: Buffer;
  readonly M: number;
  /** The result is float32: scaled, with what the epilogue says. */
  readonly floats: boolean;
  readonly epilogue: Epilogue;
  readonly bias: Argument;
  readonly residual: Argument;
  readonly scales: Buffer;
  readonly starts: Buffer;
}

/** Words of a slab. */
export const slabOf = (pitch: number): number => (SLAB_BYTES / pitch) & -8;
/** What a slab of a panel may take of the first cache. */
const SLAB_BYTES = 36 * 1024;
/** Rows of a block, at most. */
const BLOCK = 96;
const ROWS = 2;

/** Rows that a dense weight is padded to. */
export const paddedRows = (M: number): number => Math.ceil(M / ROWS) * ROWS;

/** Adds the launch of a dense product; `w` are its rows, padded to `paddedRows`. */
export function lowerPanelProduct(spec: PanelProduct, w: Buffer, to: Lowering): void {
  const { panels, x, y, M, bias, residual, scales, starts } = spec;
  const block = Math.min(BLOCK, paddedRows(M));
  const bytes = block * panels.pitch;
  const sums = to.scratch(to.device.threads * bytes);
  const shared = [x, sums, y, bias, residual, M * 4, panels.N, panels.K, panels.count, panels.wideCount, bytes];
  to.launch(code(spec), [...shared, scales, starts, w, M, block], Math.ceil(M / block) * panels.count);
}

function code({ dot, panels, floats, epilogue }: PanelProduct): KernelCode {
  const widths = widthsOf(panels);
  return {
    key: `integer/dense/${dot.form}/${widths}/${floats}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(16, (f, { chunk, thread }, args) => {
        const [x, sums, y, bias, residual, stride, N, K, count, wideCount, sumBytes] = args as Shared;
        const [scales, starts, w, M, block] = args.slice(11) as [I, I, I, I, I];
        const pitch = 16 * widths[0]!;
        const p = f.local("i32", i32.rem_u(chunk, count));
        const row = f.local("i32", i32.mul(i32.div_u(chunk, count), block));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, block));
        f.increment(sums, i32.mul(thread, sumBytes));
        const rowBytes = f.local("i32", i32.shl(K, 2));
        f.increment(w, i32.mul(row, rowBytes));
        const slab = slabOf(pitch);
        forWidths(f, widths, p, wideCount, (width, column) => {
          forSlabs(f, { x, p, K, pitch, slab }, (slabX, { inputs: words, fresh, last }) => {
            const out = f.local("i32", sums);
            const end = f.local("i32", i32.add(sums, i32.mul(rows, pitch)));
            const from = f.local("i32", w);
            const start = f.local("i32", i32.add(starts, i32.shl(row, 2)));
            f.doWhile(
              () => {
                for (const pass of passesOf(width, mostVectors(dot))) {
                  const at = { w: from, stride: rowBytes, x: slabX, words, sums: out, fresh, last, start };
                  integerTile(f, { dot, rows: ROWS, ...pass, pitch, floats }, at);
                }
                f.increment(from, i32.mul(rowBytes, ROWS));
                f.increment(start, 4 * ROWS);
                f.increment(out, ROWS * pitch);
              },
              () => i32.lt_u(out, end),
            );
            f.increment(w, i32.shl(words, 2));
            f.free(out, end, from, start);
          });
          const shape = { width, pitch, order: "token-major", epilogue, scaled: floats } as const;
          storeBlock(f, shape, { sums, rows, row, column, N, y, stride, bias, residual, scales }, device);
        });
      }),
  };
}
type Shared = [I, I, I, I, I, I, I, I, I, I, I];
