import { epilogueKey } from "../../../specs/matmul/epilogue.js";
import { i32, type Local } from "../../asm/index.js";
import { type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { passesOf } from "../matmul/dense-tile.js";
import { forWidths, widthsOf } from "../matmul/panels.js";
import { forSlabs } from "../matmul/slabs.js";
import { storeBlock } from "../matmul/store.js";
import type { PanelProduct } from "./panel.js";
import { BLOCK_BYTES, type Stream } from "./stream.js";
import { streamTile, streamVectors } from "./stream-tile.js";

type I = Local<"i32">;

/** Adds the launch of Y = W · X for a sparse W as a stream of words (`w`), and X packed in panels of the stream's form. */
export function lowerSparsePanel(spec: PanelProduct, stream: Stream, w: Buffer, to: Lowering): void {
  const { panels, x, y, M, bias, residual, scales, starts } = spec;
  const { blocks } = stream;
  const tallest = blocks.reduce((most, end, b) => Math.max(most, b === 0 ? 0 : end - blocks[b - 1]!), 0);
  const bytes = tallest * panels.pitch;
  const sums = to.scratch(to.device.threads * bytes);
  const shared = [x, sums, y, bias, residual, M * 4, panels.N, panels.K, panels.count, panels.wideCount, bytes];
  to.launch(code(spec, stream), [...shared, scales, starts, w, M], (blocks.length - 1) * panels.count);
}

function code({ dot, panels, floats, epilogue }: PanelProduct, { share, slab }: Stream): KernelCode {
  const widths = widthsOf(panels);
  return {
    key: `integer/stream/${dot.form}/${share}/${slab}/${widths}/${floats}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(15, (f, { chunk, thread }, args) => {
        const [x, sums, y, bias, residual, stride, N, K, count, wideCount, sumBytes] = args as Shared;
        const [scales, starts, stream, M] = args.slice(11) as [I, I, I, I];
        const pitch = 16 * widths[0]!;
        const p = f.local("i32", i32.rem_u(chunk, count));
        const entry = f.local("i32", i32.add(stream, i32.mul(i32.div_u(chunk, count), BLOCK_BYTES)));
        const row = f.local("i32", i32.load(entry));
        const padded = f.local("i32", i32.load(entry, 4));
        const w = f.local("i32", i32.add(stream, i32.load(entry, 8)));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, padded));
        f.increment(sums, i32.mul(thread, sumBytes));
        forWidths(f, widths, p, wideCount, (width, column) => {
          forSlabs(f, { x, p, K, pitch, slab }, (slabX, { fresh, last }) => {
            const out = f.local("i32", sums);
            const end = f.local("i32", i32.add(sums, i32.mul(padded, pitch)));
            const start = f.local("i32", i32.add(starts, i32.shl(row, 2)));
            const twos = f.local("i32");
            const from = f.local("i32");
            f.doWhile(
              () => {
                f.set(twos, i32.load(w));
                f.increment(w, 4);
                for (const pass of passesOf(width, streamVectors(dot, share))) {
                  f.set(from, w);
                  const at = { w: from, twos, x: slabX, sums: out, fresh, last, start };
                  streamTile(f, { dot, share, ...pass, pitch, floats }, at);
                }
                f.set(w, from);
                f.increment(start, 4 * share);
                f.increment(out, share * pitch);
              },
              () => i32.lt_u(out, end),
            );
            f.free(out, end, start, twos, from);
          });
          const shape = { width, pitch, order: "token-major", epilogue, scaled: floats } as const;
          storeBlock(f, shape, { sums, rows, row, column, N, y, stride, bias, residual, scales }, device);
        });
      }),
  };
}
type Shared = [I, I, I, I, I, I, I, I, I, I, I];
