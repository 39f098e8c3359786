import type { ValueDataType } from "../../../../layouts/index.js";
import { type Func, f32x4, i16x8, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import type { I32, V128 } from "../../asm/instructions.js";
import type { DeviceInfo } from "../../kernel.js";
import { madd } from "../../math.js";
import { loadSums } from "./dense-tile.js";
import { fences, loadsPerFence } from "./fences.js";
import { AHEAD, quadBytes, singleBytes, singleOffset, VALUE_BYTES } from "./stream.js";

type I = Local<"i32">;

export interface StreamTile {
  readonly share: 1 | 2;
  readonly vectors: number;
  /** The tile's first vector in the panel. */
  readonly first: number;
  readonly pitch: number;
  /** Bytes from one input of X to the next where that is not `pitch`, and from one of an input's vectors to the next where that is not 16. */
  readonly step?: number;
  readonly apart?: number;
  readonly dtype: ValueDataType;
  /** What becomes of the sums, by row and vector. */
  store(sums: readonly (readonly Local<"v128">[])[]): void;
}

/** The widest tile: 12 accumulators, 10 where widened values take registers of their own. */
export const streamWidth = (share: 1 | 2, dtype: ValueDataType): number =>
  share === 1 ? 12 : dtype === "float32" ? 6 : 5;

/**
 * One strip over one slab: sums[r][j] += Σ over kept entries of value[r] · X[input][j]. `at.w` points at the strip's quads and
 * ends behind its singles.
 *
 * A row alone, 12 vectors: for each entry 12 loads of X, 1/4 load of values (then a shuffle), 1/2 load of input
 * numbers, 12 multiply-adds: at two loads and two multiply-adds a cycle 6.4 cycles against 6, 94 % of the peak. Input numbers are read
 * three entries ahead, or the addresses come too late (loads start in order). Two rows that share columns, 6 vectors: 6 loads of X, 2
 * of values and 1/2 of numbers for 12 multiply-adds: bound by the multiply-adds. One more load for each quad brings what the stream holds
 * further on into the first cache (2 % at 50 %).
 *
 * What is missing to that (Zen 5, 3072×768 by 768×256): at 2:4, 87 to 90 % of the peak, with parts switched off, the stream's way from the second cache costs 4 % and
 * carrying sums from slab to slab 1 % (3 % at 75 %); strips of almost no entries take about 25 cycles each, which is felt where 20 entries make a strip. By
 * V8's listing an entry is 42 operations (no load is folded into a multiply-add, and fences go with them) in 6 cycles, so little of
 * this can hide behind the multiply-adds.
 */
export function streamTile(
  f: Func,
  { share, vectors, first, pitch, step = pitch, apart = 16, dtype, store }: StreamTile,
  at: { w: I; quads: I; singles: I; x: I; sums: I; fresh: I },
  device: DeviceInfo,
): void {
  // Narrow tiles sum neighbouring entries apart, for 8 independent chains of multiply-adds.
  const sets = share * vectors <= 3 ? 4 : share * vectors <= 6 ? 2 : 1;
  const sums = Array.from({ length: sets }, () => Array.from({ length: share }, () => f.localArray("v128", vectors)));
  const place = (r: number, j: number): number => r * pitch + 16 * (first + j);
  loadSums(f, sums[0]!, place, at);
  for (const set of sums.slice(1)) for (const sum of set.flat()) f.set(sum, f32x4.const(0));

  const { w } = at;
  const value = f.localArray("v128", share);
  const quad = f.local("v128");
  const row = f.local("i32");
  const inputs = f.localArray("i32", 2);
  const end = f.local("i32");
  const fence = fences(f, w);
  const direct = share === 2 && dtype === "float32";
  const spacing = loadsPerFence(sets * share * vectors + share + (direct ? 0 : 1));

  const rowOf = (input: I32) => i32.add(at.x, i32.mul(input, step));
  const accumulate = (from: I, set: readonly (readonly Local<"v128">[])[], loaded: (j: number) => void): void => {
    const column = f.local("v128");
    for (let j = 0; j < vectors; j++) {
      f.set(column, v128.load(from, apart * (first + j)));
      for (let r = 0; r < share; r++) f.set(set[r]![j]!, madd(value[r]!, column, set[r]![j]!, device));
      loaded(j);
    }
    f.free(column);
  };

  const size = quadBytes(dtype, share);
  f.if(at.quads, () => {
    f.set(end, i32.add(w, i32.mul(at.quads, size)));
    inputs.forEach((pair, i) => f.set(pair, i32.load(w, 4 * i)));
    f.doWhile(
      () => {
        let loads = 0;
        f.drop(i32.load(w, AHEAD));
        for (let u = 0; u < 4; u++) {
          const pair = inputs[u >> 1]!;
          f.set(row, rowOf(u % 2 === 0 ? i32.shr_s(i32.shl(pair, 16), 16) : i32.shr_s(pair, 16)));
          if (u % 2 === 1) f.set(pair, i32.load(w, size + 2 * (u - 1)));
          if (direct) value.forEach((v, r) => f.set(v, v128.load32_splat(w, 8 + 4 * (2 * u + r))));
          else {
            const lane = (u * share) % 4;
            if (lane === 0) f.set(quad, loadFour(w, 8 + u * share * VALUE_BYTES[dtype], dtype));
            value.forEach((v, r) => f.set(v, v128.shuffle32(quad, quad, [lane + r, lane + r, lane + r, lane + r])));
          }
          accumulate(row, sums[u % sets]!, (j) => {
            if (++loads % spacing === 0 && !(u === 3 && j === vectors - 1)) fence(1);
          });
        }
        f.increment(w, size);
      },
      () => i32.lt_u(w, end),
    );
  });
  f.if(at.singles, () => {
    f.set(end, i32.add(w, i32.mul(at.singles, singleBytes(dtype, share))));
    f.doWhile(
      () => {
        let loads = 0;
        f.set(row, rowOf(i32.load16_s(w, 0)));
        value.forEach((v, r) => f.set(v, loadOne(w, singleOffset(dtype) + r * VALUE_BYTES[dtype], dtype)));
        accumulate(row, sums[0]!, (j) => {
          if (++loads % spacing === 0 && j < vectors - 1) fence(1);
        });
        f.increment(w, singleBytes(dtype, share));
      },
      () => i32.lt_u(w, end),
    );
  });
  for (const set of sums.slice(1)) {
    set.forEach((line, r) => line.forEach((sum, j) => f.set(sums[0]![r]![j]!, f32x4.add(sums[0]![r]![j]!, sum))));
  }
  store(sums[0]!);
  f.free(...sums.flat(2), ...value, quad, row, ...inputs, end);
}

/** Four neighbouring values as float32. Finite values only; int8 without its scale. */
export function loadFour(pointer: I32, offset: number, dtype: ValueDataType): V128 {
  switch (dtype) {
    case "float32":
      return v128.load(pointer, offset);
    case "float16":
      return widenFloat16(i32x4.shl(v128.load16x4_s(pointer, offset), 13));
    case "bfloat16":
      return i32x4.shl(v128.load16x4_u(pointer, offset), 16);
    case "int8":
      return f32x4.convert_i32x4_s(
        i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(pointer, offset))),
      );
  }
}

/** One value as float32 in all lanes. */
export function loadOne(pointer: I32, offset: number, dtype: ValueDataType): V128 {
  switch (dtype) {
    case "float32":
      return v128.load32_splat(pointer, offset);
    case "float16":
      return widenFloat16(i32x4.shl(i32x4.splat(i32.load16_s(pointer, offset)), 13));
    case "bfloat16":
      return i32x4.shl(i32x4.splat(i32.load16_u(pointer, offset)), 16);
    case "int8":
      return f32x4.convert_i32x4_s(i32x4.splat(i32.load8_s(pointer, offset)));
  }
}

/** Sign, 5 exponent and 10 fraction bits in their float32 places, the sign repeated between them: subnormals come right too. */
const widenFloat16 = (shifted: V128): V128 =>
  f32x4.mul(v128.and(shifted, i32x4.const(0x8fffe000)), f32x4.const(2 ** 112));
