import type { Value } from "../../../../graph/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import { formKey, type QuantizedForm } from "../../../specs/quantized/form.js";
import { type Func, f32x4, i32, type Local } from "../../asm/index.js";
import { type Argument, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { transpose } from "../matmul/panels.js";
import { storeBlock } from "../matmul/store.js";
import { byteTile } from "./byte-tile.js";
import { fewInputs } from "./inputs.js";
import { nibbleTile } from "./nibble-tile.js";
import { packedWeight, ROWS } from "./weights.js";

type I = Local<"i32">;
type V = Local<"v128">;

/** Tokens up to which dot products beat panels, by bits. */
const MOST_DOTS = { 8: 16, 4: 8 } as const;

/** Whether dot products know a form (8 bits with a scale a row, 4 bits with one for 32 inputs or more) and do best with so many tokens. */
export const takesDots = ({ bits, group }: QuantizedForm, tokens: number): boolean =>
  (bits === 8) === (group === null) && tokens <= MOST_DOTS[bits];

export interface Dots {
  readonly weight: Value;
  readonly form: QuantizedForm;
  readonly M: number;
  readonly K: number;
  /** As many as `takesDots` takes. */
  readonly N: number;
  /** [N, K]. */
  readonly x: Value;
  readonly y: Argument;
  readonly order: Order;
  readonly yStride: number;
  readonly epilogue: Epilogue;
  readonly bias: Argument;
  readonly residual: Argument;
}

/**
 * Y = W · X for a quantized W and a few tokens (decoding): dot products along the inputs, W read once, in order, and widened in registers; never
 * unpacked in memory.
 */
export function lowerDots(spec: Dots, to: Lowering): void {
  const { weight, form, M, K, N, order, epilogue, x, y, yStride, bias, residual } = spec;
  const { codes, rowBytes, scales, zeros, groups } = packedWeight(weight, to);
  const inputs = fewInputs(x, K, N, form, to);
  const block = ROWS * Math.max(1, Math.min(8, Math.floor(M / ROWS / (4 * to.device.threads))));
  const sumBytes = block * 16 * Math.ceil(N / 4);
  const sums = to.scratch(to.device.threads * sumBytes);
  const args = [
    ...[inputs.buffer, inputs.stride, sums, sumBytes, y, bias, residual, yStride * 4],
    ...[codes, rowBytes, scales, zeros, groups * 4, M, block],
  ];
  to.launch(dotsCode(N, form, order, epilogue), args, Math.ceil(M / block));
}

/** Tokens in passes of as many as a tile takes; all but the last a multiple of 4. */
function passesOf(tokens: number, bits: number): { first: number; tokens: number }[] {
  const most = bits === 8 ? 8 : 4;
  return Array.from({ length: Math.ceil(tokens / most) }, (_, i) => ({
    first: i * most,
    tokens: Math.min(most, tokens - i * most),
  }));
}

/** Rows that go with so many tokens: about 8 accumulators. */
const rowsFor = (tokens: number, bits: number): number =>
  bits === 8 ? ([0, 4, 2, 2, 2][tokens] ?? 1) : ([0, 4, 4, 2, 2][tokens] ?? 1);

function dotsCode(tokens: number, form: QuantizedForm, order: Order, epilogue: Epilogue): KernelCode {
  return {
    key: `quantized/dots/${formKey(form)}/${tokens}/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(15, (f, { chunk, thread }, args) => {
        const [x, xStride, sums, sumBytes, y, bias, residual, stride] = args as [I, I, I, I, I, I, I, I];
        const [w, rowBytes, scales, zeros, scaleBytes, M, block] = args.slice(8) as [I, I, I, I, I, I, I];
        const pitch = 16 * Math.ceil(tokens / 4);
        const row = f.local("i32", i32.mul(chunk, block));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, block));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.increment(w, i32.mul(row, rowBytes));
        const rowScales = f.local("i32", i32.add(scales, i32.mul(row, scaleBytes)));
        const rowZeros = f.local("i32", i32.add(zeros, i32.mul(row, scaleBytes)));
        const end = f.local("i32", i32.add(sums, i32.mul(rows, pitch)));
        for (const pass of passesOf(tokens, form.bits)) {
          const height = rowsFor(pass.tokens, form.bits);
          const at = {
            w: f.local("i32", w),
            rowBytes,
            x: f.local("i32", i32.add(x, i32.mul(xStride, pass.first))),
            xStride,
            scales: f.local("i32", rowScales),
            zeros: f.local("i32", rowZeros),
            scaleBytes,
          };
          const out = f.local("i32", sums);
          f.doWhile(
            () => {
              const tile = (form.bits === 8 ? byteTile : nibbleTile)(
                f,
                { rows: height, tokens: pass.tokens, form },
                at,
                device,
              );
              tile.forEach((line, r) => storeLane(f, line, out, r * pitch + 4 * pass.first));
              f.free(...tile.flat());
              f.increment(at.w, i32.mul(rowBytes, height));
              f.increment(at.scales, i32.mul(scaleBytes, height));
              f.increment(at.zeros, i32.mul(scaleBytes, height));
              f.increment(out, height * pitch);
            },
            () => i32.lt_u(out, end),
          );
          f.free(at.w, at.x, at.scales, at.zeros, out);
        }
        const column = f.local("i32", 0);
        const N = f.local("i32", tokens);
        const shape = { width: Math.ceil(tokens / 4), pitch, order, epilogue, scaled: form.group === null };
        storeBlock(f, shape, { sums, rows, row, column, N, y, stride, bias, residual, scales }, device);
      }),
  };
}

/** Adds up each token's four partial sums and stores the tokens' sums as vectors of four. */
function storeLane(f: Func, line: readonly V[], to: I, offset: number): void {
  for (let first = 0; first < line.length; first += 4) {
    const four = [0, 1, 2, 3].map((i) => line[Math.min(first + i, line.length - 1)]!);
    const lanes = transpose(f, four);
    const [a, b, c, d] = lanes as [V, V, V, V];
    f.storeV128(to, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)), offset + 4 * first);
    f.free(...lanes);
  }
}
