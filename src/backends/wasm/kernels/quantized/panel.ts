import type { Value } from "../../../../graph/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import { formKey, type QuantizedForm } from "../../../specs/quantized/form.js";
import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import { type Argument, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { denseRowsFor, denseTile, passesOf } from "../matmul/dense-tile.js";
import { forWidths, type Panels, widthsOf } from "../matmul/panels.js";
import { storeBlock } from "../matmul/store.js";
import { packedWeight, ROWS } from "./weights.js";
import { widened, widenSome } from "./widen.js";

type I = Local<"i32">;

export interface QuantizedPanels {
  readonly weight: Value;
  readonly form: QuantizedForm;
  readonly M: number;
  readonly panels: Panels;
  /** X packed, and y where it goes. */
  readonly x: Argument;
  readonly y: Argument;
  readonly order: Order;
  readonly yStride: number;
  readonly epilogue: Epilogue;
  readonly bias: Argument;
  readonly residual: Argument;
}

/** Vectors of the widest panel: 96 tokens share each widening. With 48 it took 6 to 15 % of the time. */
export const PANEL_WIDTH = 24;
/** Inputs of a slab: 36 KB of a panel of X, which leaves room in the first cache for a widened strip. A multiple of 32. */
const SLAB = 96;
/** Vectors of a tile. */
const PASS = 6;
/** Rows of a chunk: a multiple of ROWS. */
const BLOCK = 96;

/**
 * Y = W · X for a quantized W and many tokens: the float32 product's tiles, each strip of rows widened, a slab at a time, into a scratch of the thread's own
 * that stays in its first cache. Widening is some 10 operations for 8 weights; with 96 tokens they are followed by 192 multiply-adds of vectors.
 */
export function lowerQuantizedPanels(spec: QuantizedPanels, to: Lowering): void {
  const { weight, form, M, panels, x, y, order, yStride, epilogue, bias, residual } = spec;
  const { codes, rowBytes, scales, zeros, groups } = packedWeight(weight, to);
  const { threads } = to.device;
  const blocks = Math.max(1, Math.min(Math.ceil(M / ROWS), Math.ceil(M / BLOCK)));
  const block = Math.ceil(M / blocks / ROWS) * ROWS;
  const tall = denseRowsFor(passesOf(panels.wide, PASS)[0]!.vectors);
  const sumBytes = block * panels.pitch;
  const stripBytes = tall * SLAB * 4;
  const args = [
    ...[x, to.scratch(threads * sumBytes), sumBytes, to.scratch(threads * stripBytes), y, bias, residual, yStride * 4],
    ...[panels.N, panels.K, panels.count, panels.wideCount, codes, rowBytes, scales, zeros, groups * 4, M, block],
  ];
  const code = panelsCode({ widths: widthsOf(panels), tall, form, order, epilogue });
  to.launch(code, args, Math.ceil(M / block) * panels.count);
}

interface Shape {
  readonly widths: readonly number[];
  readonly tall: number;
  readonly form: QuantizedForm;
  readonly order: Order;
  readonly epilogue: Epilogue;
}

function panelsCode({ widths, tall, form, order, epilogue }: Shape): KernelCode {
  return {
    key: `quantized/panels/${formKey(form)}/${widths}/${tall}/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(19, (f, { chunk, thread }, args) => {
        const [x, sums, sumBytes, strip, y, bias, residual, stride] = args as [I, I, I, I, I, I, I, I];
        const [N, K, panels, wideCount, w, rowBytes, scales, zeros] = args.slice(8) as [I, I, I, I, I, I, I, I];
        const [scaleBytes, M, block] = args.slice(16) as [I, I, I];
        const pitch = 16 * widths[0]!;
        const p = f.local("i32", i32.rem_u(chunk, panels));
        const row = f.local("i32", i32.mul(i32.div_u(chunk, panels), block));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, block));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.increment(strip, i32.mul(thread, tall * SLAB * 4));
        f.increment(w, i32.mul(row, rowBytes));
        const rowScales = f.local("i32", i32.add(scales, i32.mul(row, scaleBytes)));
        const rowZeros = f.local("i32", i32.add(zeros, i32.mul(row, scaleBytes)));
        const slabX = f.local("i32", i32.add(x, i32.mul(i32.mul(p, K), pitch)));
        const end = f.local("i32", i32.add(sums, i32.mul(rows, pitch)));
        const stripStride = f.local("i32", SLAB * 4);
        forWidths(f, widths, p, wideCount, (width, column) => {
          f.for(0, K, SLAB, (k) => {
            const fresh = f.local("i32", i32.eqz(k));
            const inputs = f.local("i32", i32.sub(K, k));
            f.set(inputs, i32.select(i32.gt_s(inputs, SLAB), SLAB, inputs));
            const out = f.local("i32", sums);
            const from = { w: f.local("i32", w), scales: f.local("i32", rowScales), zeros: f.local("i32", rowZeros) };
            f.doWhile(
              () => {
                widenStrip(f, { tall, form }, { ...from, k, inputs, strip, rowBytes, scaleBytes });
                for (const pass of passesOf(width, PASS)) {
                  const at = { w: strip, stride: stripStride, x: slabX, inputs, sums: out, fresh };
                  denseTile(f, { rows: tall, ...pass, pitch }, at, device);
                }
                f.increment(out, tall * pitch);
                f.increment(from.w, i32.mul(rowBytes, tall));
                f.increment(from.scales, i32.mul(scaleBytes, tall));
                f.increment(from.zeros, i32.mul(scaleBytes, tall));
              },
              () => i32.lt_u(out, end),
            );
            f.increment(w, SLAB * (form.bits / 8));
            f.increment(slabX, SLAB * pitch);
            f.free(fresh, inputs, out, ...Object.values(from));
          });
          const at = { sums, rows, row, column, N, y, stride, bias, residual, scales };
          storeBlock(f, { width, pitch, order, epilogue, scaled: form.group === null }, at, device);
        });
      }),
  };
}

/** Widens `inputs` codes from input k on of `tall` rows into the strip, a row SLAB floats long. */
function widenStrip(
  f: Func,
  { tall, form }: Pick<Shape, "tall" | "form">,
  at: { w: I; scales: I; zeros: I; k: I; inputs: I; strip: I; rowBytes: I; scaleBytes: I },
): void {
  const line = f.local("i32", at.strip);
  const codes = f.local("i32", at.w);
  const lineScales = f.local("i32", at.scales);
  const lineZeros = f.local("i32", at.zeros);
  const [from, to, end] = f.localArray("i32", 3) as [I, I, I];
  const group = f.local("i32");
  const scale = f.local("v128");
  const zero = f.local("v128");
  f.for(0, tall, 1, () => {
    f.set(from, codes);
    f.set(to, line);
    f.set(end, i32.add(line, i32.shl(at.inputs, 2)));
    f.doWhile(
      () => {
        if (form.group !== null) {
          const input = i32.add(at.k, i32.shr_u(i32.sub(to, line), 2));
          f.set(group, i32.shl(i32.shr_u(input, Math.log2(form.group)), 2));
          f.set(scale, v128.load32_splat(i32.add(lineScales, group)));
          if (form.zeroPoints) f.set(zero, v128.load32_splat(i32.add(lineZeros, group)));
        }
        const factors = { scale: form.group === null ? null : scale, zero: form.zeroPoints ? zero : null };
        widenSome(f, form, { from, to, ...factors });
        f.increment(from, 16);
        f.increment(to, 4 * widened(form));
      },
      () => i32.lt_u(to, end),
    );
    f.increment(line, SLAB * 4);
    f.increment(codes, at.rowBytes);
    f.increment(lineScales, at.scaleBytes);
    f.increment(lineZeros, at.scaleBytes);
  });
  f.free(line, codes, lineScales, lineZeros, from, to, end, group, scale, zero);
}
