import type { SparseTensor } from "../../../../layouts/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import { type Entries, entriesOf } from "../../../specs/matmul/weights.js";
import { type Func, f32x4, i8x16, i32, type Local, v128 } from "../../asm/index.js";
import type { I32 } from "../../asm/instructions.js";
import { type DeviceInfo, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { madd } from "../../math.js";
import type { Dots } from "./dots.js";
import { fences } from "./fences.js";
import { transpose } from "./panels.js";
import { storeBlock } from "./store.js";

type I = Local<"i32">;

/** Rows that pass over x together. */
const TILE = 4;
/** Rows of a chunk. */
const BLOCK = 64;
/** Bytes from one row's sums to the next. */
const SUM = 16;
/** For each 4 bits, which bytes of 4 columns the set ones keep, and then indices that stand for zero. */
const TABLE_BYTES = 16 * 16;

/** Values are brought into the first cache so many bytes before their use. */
const AHEAD = 1024;
const SLACK = 16 + AHEAD;

/** Share of kept weights from which bits are shorter than numbers and as quick. */
const DENSE_ENOUGH = 0.35;

const allFinite = new WeakMap<SparseTensor, boolean>();

/** Whether `weight` does well as bits and values: float32, finite (a lane without a weight multiplies the next value by 0), columns by eights. */
export function masksWell(weight: SparseTensor): boolean {
  const { rows, cols, parts } = weight.stored;
  const values = parts.values!;
  if (cols % 8 !== 0 || values.dtype !== "float32" || values.size < DENSE_ENOUGH * rows * cols) return false;
  let finite = allFinite.get(weight);
  if (finite === undefined) {
    finite = (values.data as Float32Array).every(Number.isFinite);
    allFinite.set(weight, finite);
  }
  return finite;
}

/**
 * Y = W · x for a sparse W of which much is kept, and one token (decoding). The weight is a bit for each place and the kept values: at 50 %,
 * 4.25 bytes a kept weight, so 1.88 times fewer bytes than dense. Prepared: the table of bits; where each block's values begin (u32); for
 * each 4 rows, for each 8 columns, a byte of bits for each row; the values in the same order, so that memory delivers them in sequence.
 *
 * For each 4 columns of a row, the kept ones of x are brought together in the low lanes, to be multiplied by the next values: 3 loads (a
 * quarter of x, the table's and the values') and about 9 operations, so some 1.2 cycles for what is kept of 4. What is not stored is
 * not multiplied: other lanes are 0 times a value.
 */
export function lowerMaskDots(spec: Dots, weight: SparseTensor, to: Lowering): void {
  const { K, order, epilogue, x, y, yStride, bias = 0, residual = 0 } = spec;
  const { rows: M, parts } = weight.stored;
  const tiles = Math.ceil(M / TILE);
  const blocks = Math.ceil(M / BLOCK);
  const masks = TABLE_BYTES + blocks * 4;
  const values = masks + (tiles * TILE * K) / 8;
  const w = to.prepared(spec.weight, "matmul/masks", values + 4 * parts.values!.size + SLACK, (target) =>
    writeMasks(entriesOf(weight, [0, M]), { masks, values }, target),
  );
  const sumBytes = BLOCK * SUM;
  const sums = to.scratch(to.device.threads * sumBytes);
  const args = [x, sums, y, bias, residual, yStride * 4, K, w, M, masks, sumBytes];
  to.launch(maskDotsCode(order, epilogue), args, blocks);
}

function writeMasks(
  { rows, cols, start, columns, values }: Entries,
  at: { masks: number; values: number },
  target: Uint8Array,
): void {
  for (let bits = 0; bits < 16; bits++) {
    const kept = [0, 1, 2, 3].filter((lane) => bits & (1 << lane));
    for (let byte = 0; byte < 16; byte++) {
      const lane = kept[byte >> 2];
      target[bits * 16 + byte] = lane === undefined ? 255 : 4 * lane + (byte & 3);
    }
  }
  const begins = new Uint32Array(target.buffer, target.byteOffset + TABLE_BYTES);
  const into = new Float32Array(target.buffer, target.byteOffset);
  const next = start.slice();
  let value = at.values;
  let mask = at.masks;
  for (let tile = 0; tile < rows; tile += TILE) {
    if (tile % BLOCK === 0) begins[tile / BLOCK] = value;
    const end = Math.min(tile + TILE, rows);
    for (let column = 8; column <= cols; column += 8, mask += TILE) {
      for (let row = tile; row < end; row++) {
        for (; next[row]! < start[row + 1]! && columns[next[row]!]! < column; value += 4) {
          target[mask + row - tile]! |= 1 << (columns[next[row]!]! & 7);
          into[value >> 2] = values[next[row]!++]!;
        }
      }
    }
  }
}

function maskDotsCode(order: Order, epilogue: Epilogue): KernelCode {
  return {
    key: `matmul/mask-dots/${order}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(11, (f, { chunk, thread }, args) => {
        const [x, sums, y, bias, residual, stride, K, w, M, masks, sumBytes] = args as unknown as Arguments;
        const row = f.local("i32", i32.mul(chunk, BLOCK));
        const rows = f.local("i32", i32.sub(M, row));
        f.set(rows, i32.min_s(rows, BLOCK));
        f.increment(sums, i32.mul(thread, sumBytes));
        const values = f.local("i32", i32.add(w, i32.load(i32.add(w, i32.shl(chunk, 2)), TABLE_BYTES)));
        const bits = f.local("i32", i32.add(i32.add(w, masks), i32.shr_u(i32.mul(row, K), 3)));
        const out = f.local("i32", sums);
        const end = f.local("i32", i32.add(sums, i32.mul(rows, SUM)));
        f.doWhile(
          () => {
            maskTile(f, { table: w, values, bits, x, K, sums: out }, device);
            f.increment(out, TILE * SUM);
          },
          () => i32.lt_u(out, end),
        );
        const column = f.local("i32", 0);
        const N = f.local("i32", 1);
        const at = { sums, rows, row, column, N, y, stride, bias, residual, scales: bias };
        storeBlock(f, { width: 1, pitch: SUM, order, epilogue, scaled: false }, at, device);
      }),
  };
}
type Arguments = [I, I, I, I, I, I, I, I, I, I, I];

/** Four rows by x; `bits` and `values` end behind theirs. Each row's sum is stored as the first lane of its vector. */
function maskTile(f: Func, at: { table: I; values: I; bits: I; x: I; K: I; sums: I }, device: DeviceInfo): void {
  const { table, values, bits } = at;
  const sums = f.localArray("v128", TILE);
  for (const sum of sums) f.set(sum, f32x4.const(0));
  const x = f.local("i32", at.x);
  const end = f.local("i32", i32.add(x, i32.shl(at.K, 2)));
  const four = f.local("i32");
  const byte = f.local("i32");
  const columns = f.localArray("v128", 2);
  const indices = f.local("v128");
  const fence = fences(f, x);
  f.block(() =>
    f.doWhile(
      () => {
        f.set(four, i32.load(bits));
        f.drop(i32.load(values, AHEAD));
        columns.forEach((column, half) => f.set(column, v128.load(x, 16 * half)));
        sums.forEach((sum, r) => {
          columns.forEach((column, half) => {
            f.set(byte, i32.and(shift(four, 8 * r + 4 * half - 4), 0xf0));
            f.set(indices, v128.load(i32.add(table, byte)));
            f.set(sum, madd(swizzle(column, indices, device), v128.load(values), sum, device));
            f.increment(values, i32.shl(i32.popcnt(byte), 2));
          });
          if (r < TILE - 1) fence(1);
        });
        f.increment(x, 32);
        f.increment(bits, TILE);
      },
      () => i32.lt_u(x, end),
    ),
  );
  const lanes = transpose(f, sums);
  const [a, b, c, d] = lanes as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
  f.set(a, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (let r = 0; r < TILE; r++) f.store32Lane(at.sums, a, r, SUM * r);
  f.free(...sums, x, end, four, byte, ...columns, indices, ...lanes);
}

const shift = (bits: I, by: number): I32 => (by < 0 ? i32.shl(bits, -by) : i32.shr_u(bits, by));

/** Indices of 255 give 0, relaxed or not. */
const swizzle = (from: Local<"v128">, indices: Local<"v128">, { relaxed }: DeviceInfo) =>
  relaxed ? i8x16.relaxed_swizzle(from, indices) : i8x16.swizzle(from, indices);
