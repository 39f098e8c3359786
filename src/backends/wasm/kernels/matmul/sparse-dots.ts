import type { SparseTensor, ValueDataType } from "../../../../layouts/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import type { I32, V128 } from "../../asm/instructions.js";
import { type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { madd } from "../../math.js";
import type { Dots } from "./dots.js";
import { preparedStream } from "./panel.js";
import { storeBlock } from "./store.js";
import { AHEAD, HEADER_BYTES, quadBytes, singleBytes, singleOffset, VALUE_BYTES } from "./stream.js";
import { loadFour, loadOne } from "./stream-tile.js";

type I = Local<"i32">;

/** Bytes from one row's sums to the next. */
const SUM = 16;

/**
 * Y = W · x for a sparse W and one token (decoding), from the stream that the panels of longer inputs read too. The lanes of a vector are
 * four entries of a row: x is gathered, four loads for each quad, which two rows that keep the same columns share. (With two tokens panels are faster:
 * one load of an input's tokens, not two gathers.)
 *
 * 5 loads of vectors for 4 entries (6 for 8 of two rows), at two a cycle 0.6 cycles for an entry of 6 bytes; measured in the second cache: one
 * cycle. Beyond the caches that is about what memory delivers, and the bytes are 1.5 times those of the same weights in a dense
 * matrix (1.25 times where rows pair). A dense weight that stays in the second cache is faster than a sparse one of half the weights.
 */
export function lowerSparseDots(spec: Dots & { readonly slab: number }, weight: SparseTensor, to: Lowering): void {
  const { K, order, epilogue, x, y, yStride, slab, bias = 0, residual = 0 } = spec;
  const { stream, buffer: w, tallest } = preparedStream(spec.weight, weight, [0, weight.stored.rows], slab, to);
  const { share, dtype, scales } = stream;
  const sumBytes = tallest * SUM;
  const sums = to.scratch(to.device.threads * sumBytes);
  const code = sparseDotsCode({ share, dtype, scaled: scales > 0, order, epilogue });
  const args = [x, sums, y, bias, residual, yStride * 4, K, w, scales, sumBytes, slab];
  to.launch(code, args, stream.blocks.length - 1);
}

interface SparseDotsShape {
  readonly share: 1 | 2;
  readonly dtype: ValueDataType;
  readonly scaled: boolean;
  readonly order: Order;
  readonly epilogue: Epilogue;
}

function sparseDotsCode({ share, dtype, scaled, order, epilogue }: SparseDotsShape): KernelCode {
  return {
    key: `matmul/sparse-dots/${share}/${dtype}${scaled ? "*" : ""}/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(11, (f, { chunk, thread }, args) => {
        const [x, sums, y, bias, residual, stride, K, stream, scales, sumBytes, slab] = args as unknown as Arguments;
        const entry = f.local("i32", i32.add(stream, i32.mul(chunk, 12)));
        const row = f.local("i32", i32.mul(i32.load(entry, 0), share));
        const rows = f.local("i32", i32.sub(i32.mul(i32.load(entry, 4), share), row));
        const w = f.local("i32", i32.add(stream, i32.load(entry, 8)));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.increment(scales, stream);
        const left = f.local("i32");
        const out = f.local("i32");
        const k = f.local("i32", 0);
        f.doWhile(
          () => {
            f.set(left, rows);
            f.doWhile(
              () => {
                const quads = f.local("i32", i32.load(w, 0));
                const singles = f.local("i32", i32.load16_u(w, 4));
                f.set(out, i32.add(sums, i32.mul(i32.load16_u(w, 6), share * SUM)));
                f.increment(w, HEADER_BYTES);
                gather(f, { share, dtype }, { w, quads, singles, x, sums: out, fresh: i32.eqz(k) }, device);
                f.increment(left, -share);
                f.free(quads, singles);
              },
              () => left,
            );
            f.increment(x, i32.shl(slab, 2));
            f.increment(k, slab);
          },
          () => i32.lt_s(k, K),
        );
        addLanes(f, share, sums, rows);
        const column = f.local("i32", 0);
        const N = f.local("i32", 1);
        const at = { sums, rows, row, column, N, y, stride, bias, residual, scales };
        storeBlock(f, { width: 1, pitch: SUM, order, epilogue, scaled }, at, device);
      }),
  };
}
type Arguments = [I, I, I, I, I, I, I, I, I, I, I];

/**
 * One strip over one slab: two vectors of partial sums that take turns, then added to those of the slab before. For two rows the lanes are a b a b.
 */
function gather(
  f: Func,
  { share, dtype }: Pick<SparseDotsShape, "share" | "dtype">,
  at: { w: I; quads: I; singles: I; x: I; sums: I; fresh: I32 },
  device: Parameters<typeof madd>[3],
): void {
  const { w, x } = at;
  const sum = f.local("v128");
  const other = f.local("v128", f32x4.const(0));
  f.if(
    at.fresh,
    () => f.set(sum, f32x4.const(0)),
    () => f.set(sum, v128.load(at.sums)),
  );
  const inputs = f.localArray("i32", 4);
  const values = f.localArray("v128", share);
  const columns = f.local("v128");
  const next = f.local("v128");
  const end = f.local("i32", i32.add(w, i32.mul(at.quads, quadBytes(dtype, share))));
  f.while(i32.lt_u(w, end), () => {
    f.drop(i32.load(w, AHEAD));
    inputs.forEach((input, i) => f.set(input, i32.shl(i32.load16_s(w, 2 * i), 2)));
    values.forEach((value, i) => f.set(value, loadFour(w, 8 + 4 * i * VALUE_BYTES[dtype], dtype)));
    const [first, ...others] = inputs.map((input) => i32.add(x, input)) as [I32, ...I32[]];
    f.set(
      columns,
      others.reduce((v: V128, from, i) => v128.load32_lane(from, v, i + 1), v128.load32_zero(first)),
    );
    if (share === 1) {
      f.set(next, madd(columns, values[0]!, sum, device));
      f.set(sum, other);
      f.set(other, next);
    } else {
      f.set(sum, madd(v128.shuffle32(columns, columns, [0, 0, 1, 1]), values[0]!, sum, device));
      f.set(other, madd(v128.shuffle32(columns, columns, [2, 2, 3, 3]), values[1]!, other, device));
    }
    f.increment(w, quadBytes(dtype, share));
  });
  // A row's single goes to lane 0, two rows' to lanes 0 and 1.
  const lane = (r: number): V128 =>
    v128.and(loadOne(w, singleOffset(dtype) + r * VALUE_BYTES[dtype], dtype), v128.const(LANE[r]!));
  f.set(end, i32.add(w, i32.mul(at.singles, singleBytes(dtype, share))));
  f.while(i32.lt_u(w, end), () => {
    f.set(inputs[0]!, i32.shl(i32.load16_s(w), 2));
    f.set(values[0]!, share === 1 ? lane(0) : v128.or(lane(0), lane(1)));
    f.set(columns, v128.load32_zero(i32.add(x, inputs[0]!)));
    const column = share === 1 ? columns : v128.shuffle32(columns, columns, [0, 0, 1, 1]);
    f.set(sum, madd(column, values[0]!, sum, device));
    f.increment(w, singleBytes(dtype, share));
  });
  f.storeV128(at.sums, f32x4.add(sum, other));
  f.free(sum, other, ...inputs, ...values, columns, next, end);
}
const LANE = [0, 1].map((lane) => Array.from({ length: 16 }, (_, byte) => (byte >> 2 === lane ? 255 : 0)));

/** Partial sums become sums, in place: a vector for each row, its first lane the token. */
function addLanes(f: Func, share: 1 | 2, sums: I, rows: I): void {
  const at = f.local("i32", sums);
  const end = f.local("i32", i32.add(sums, i32.mul(rows, SUM)));
  const sum = f.local("v128");
  f.doWhile(
    () => {
      f.set(sum, v128.load(at));
      f.set(sum, f32x4.add(sum, v128.shuffle32(sum, sum, [2, 3, 2, 3])));
      if (share === 1) f.storeV128(at, f32x4.add(sum, v128.shuffle32(sum, sum, [1, 1, 1, 1])));
      else for (const r of [0, 1]) f.storeV128(at, v128.shuffle32(sum, sum, [r, r, r, r]), SUM * r);
      f.increment(at, share * SUM);
    },
    () => i32.lt_u(at, end),
  );
  f.free(at, end, sum);
}
