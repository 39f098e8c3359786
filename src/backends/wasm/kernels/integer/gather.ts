import { epilogueKey } from "../../../specs/matmul/epilogue.js";
import type { Entries } from "../../../specs/matmul/weights.js";
import { i32, i32x4, type Local, v128 } from "../../asm/index.js";
import { type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { PAIRS } from "./dot.js";
import { type FewProduct, finishRows } from "./few.js";
import { type Form, wordsOf } from "./quantize.js";
import { cut, type KeptWord, sparseLevels, wordsKept } from "./strips.js";

type I = Local<"i32">;

/**
 * Sparse weights whose rows share nothing, for a few tokens: four rows in the lanes, each with words of its own.
 *
 * A group of four rows is as many steps as its fullest row keeps words. A step is 16 bytes: four uint16 offsets in x in bytes, one a row, and
 * four pairs of int8 levels; rows that keep fewer words end with pairs of zeros. The image begins with the bounds of the chunks and a table: steps and
 * place of each group.
 */
export interface Groups {
  readonly form: Form;
  readonly kept: readonly (readonly KeptWord[])[];
  readonly steps: readonly number[];
  readonly chunks: number;
  readonly table: number;
  readonly first: number;
  readonly bytes: number;
}

const ROWS = 4;

/** Null where a row of x is too long for its offsets. */
export function groupsOf(entries: Entries, form: Form, chunks: number): Groups | null {
  const { rows, cols, start, columns } = entries;
  if (4 * wordsOf(form, cols) > 65536) return null;
  const used = new Uint8Array(cols + 4);
  const kept = Array.from({ length: rows }, (_, row) => {
    used.fill(0);
    for (let i = start[row]!; i < start[row + 1]!; i++) used[columns[i]!] = 1;
    return wordsKept(used, cols, form);
  });
  const count = Math.ceil(rows / ROWS);
  const steps = Array.from({ length: count }, (_, g) =>
    Math.max(...kept.slice(ROWS * g, ROWS * g + ROWS).map((list) => list.length)),
  );
  const shares = Math.min(chunks, count);
  const table = 4 * (shares + 1);
  const first = Math.ceil((table + 8 * count) / 64) * 64;
  const bytes = first + 16 * steps.reduce((a, b) => a + b, 0);
  return { form, kept, steps, chunks: shares, table, first, bytes };
}

export function writeGroups({ kept, steps, chunks, table, first }: Groups, entries: Entries, target: Uint8Array): void {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  cut(steps, chunks).forEach((bound, c) => {
    view.setUint32(4 * c, bound, true);
  });
  const fill = sparseLevels(entries);
  const line = new Int8Array(entries.cols);
  let at = first;
  steps.forEach((count, g) => {
    view.setUint32(table + 8 * g, count, true);
    view.setUint32(table + 8 * g + 4, at, true);
    for (let r = 0; r < ROWS && ROWS * g + r < kept.length; r++) {
      line.fill(0);
      fill(ROWS * g + r, line);
      kept[ROWS * g + r]!.forEach(({ word, columns }, s) => {
        view.setUint16(at + 16 * s + 2 * r, 4 * word, true);
        columns.forEach((column, i) => {
          if (column >= 0) view.setInt8(at + 16 * s + 8 + 2 * r + i, line[column]!);
        });
      });
    }
    at += 16 * count;
  });
}

export type GatherProduct = Pick<
  FewProduct,
  "w" | "x" | "y" | "M" | "N" | "floats" | "epilogue" | "bias" | "residual" | "scales"
> & { readonly groups: Groups; readonly words: number };

/** Adds the launch. Four words of x come from four places for each eight weights: bound by those loads, at six times what dense strips take for a weight. */
export function lowerGather(spec: GatherProduct, to: Lowering): void {
  const { groups, w, x, y, M, N, bias, residual, scales, words } = spec;
  const rows = ROWS * groups.steps.length;
  const sums: Buffer = to.scratch(4 * rows * N);
  const places = [w, groups.table, x, sums, y, bias, residual, scales];
  to.launch(code(spec), [...places, M, 4 * rows, 4 * words], groups.chunks);
}

function code({ N, floats, epilogue }: GatherProduct): KernelCode {
  return {
    key: `integer/gather/${N}/${floats}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(11, (f, { chunk }, args) => {
        const [w, table, x, sums, y, bias, residual, scales] = args as [I, I, I, I, I, I, I, I];
        const [M, sumStride, xStride] = args.slice(8) as [I, I, I];
        const bound = f.local("i32", i32.add(w, i32.shl(chunk, 2)));
        const group = f.local("i32", i32.load(bound));
        const last = f.local("i32", i32.load(bound, 4));
        const row = f.local("i32", i32.mul(group, ROWS));
        const rows = f.local("i32", i32.sub(i32.mul(last, ROWS), row));
        const entry = f.local("i32", i32.add(i32.add(w, table), i32.shl(group, 3)));
        const out = f.local("i32", i32.add(sums, i32.shl(row, 2)));
        const to = f.local("i32");
        const token = f.local("i32");
        const from = f.local("i32");
        const end = f.local("i32");
        const sum = f.local("v128");
        const words = f.local("v128");
        f.while(i32.lt_s(group, last), () => {
          f.set(to, out);
          f.set(token, x);
          for (let t = 0; t < N; t++) {
            f.set(sum, i32x4.const(0));
            f.set(from, i32.add(w, i32.load(entry, 4)));
            f.set(end, i32.add(from, i32.shl(i32.load(entry), 4)));
            f.while(i32.lt_u(from, end), () => {
              const word = (lane: number) => i32.add(token, i32.load16_u(from, 2 * lane));
              f.set(words, v128.load32_zero(word(0)));
              for (const lane of [1, 2, 3]) f.set(words, v128.load32_lane(word(lane), words, lane));
              f.set(sum, PAIRS.add(sum, words, v128.load8x8_s(from, 8)));
              f.increment(from, 16);
            });
            f.storeV128(to, sum);
            f.increment(to, sumStride);
            f.increment(token, xStride);
          }
          f.increment(out, 4 * ROWS);
          f.increment(entry, 8);
          f.increment(group, 1);
        });
        finishRows(f, { N, floats, epilogue }, { row, rows, M, sums, sumStride, scales, bias, residual, y }, device);
      }),
  };
}
