import { type Func, f32, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { type DeviceInfo, type KernelCode, kernelFunction } from "../../kernel.js";
import { exp } from "../../math.js";
import { emitDots } from "../batch-matmul/dots.js";
import { emitTile } from "../batch-matmul/tile.js";
import { ARGUMENTS, type Arguments, forItems, type Item, type Masking, maskBits } from "./items.js";

/** Bytes of a chunk's scratch memory: the scores of one query, padded to whole vectors. */
export const rowScratchBytes = (keys: number): number => 16 * Math.ceil(keys / 4);

/** Attention of one query at a time, as decoding wants it: keys and values are read once, along their rows. */
export const attendRows = (masking: Masking): KernelCode => ({
  key: `attention/rows/${masking.mask}/${masking.causal}`,
  build: (device) =>
    kernelFunction(ARGUMENTS.length, (f, { chunk }, locals) => {
      const a = Object.fromEntries(ARGUMENTS.map((name, i) => [name, locals[i]!])) as Arguments;
      forItems(f, chunk, a, 1, masking, (item) => {
        const vectors = f.local("i32", i32.shr_u(i32.add(item.keys, 3), 2));
        emitScores(f, device, a, item, masking);
        const sum = emitSoftmax(f, device, item, vectors);
        emitValues(f, device, a, item, sum);
        f.free(vectors, sum);
      });
    }),
});

/** scratch[key] = scale · q · k[key] + mask, -Infinity beyond the last key. */
function emitScores(f: Func, device: DeviceInfo, a: Arguments, item: Item, masking: Masking): void {
  const scale = f.local("v128", f32x4.splat(f32.reinterpret_i32(a.scale)));
  const key = f.local("i32", item.k);
  const to = f.local("i32", item.scratch);
  const rest = f.local("i32", item.keys);
  f.while(i32.ge_s(rest, 4), () => {
    f.storeV128(to, f32x4.mul(emitDots(f, device, 4, item.q, key, a.headSize, a.kRow), scale));
    f.increment(key, i32.shl(a.kRow, 2));
    f.increment(to, 16);
    f.increment(rest, -4);
  });
  f.if(rest, () => f.storeV128(to, f32x4.const(Number.NEGATIVE_INFINITY)));
  f.while(rest, () => {
    f.store32Lane(to, f32x4.mul(emitDots(f, device, 1, item.q, key, a.headSize, a.kRow), scale), 0);
    f.increment(key, a.kRow);
    f.increment(to, 4);
    f.increment(rest, -1);
  });
  const { mask } = masking;
  if (mask !== "none") {
    const from = f.local("i32", item.mask);
    f.set(to, item.scratch);
    f.for(0, item.keys, 1, () => {
      f.storeF32(to, f32.add(f32.load(to), f32.reinterpret_i32(maskBits(mask, from))));
      f.increment(to, 4);
      f.increment(from, a.maskKey);
    });
    f.free(from);
  }
  f.free(scale, key, to, rest);
}

/** All lanes of the result: `combine` of the lanes of `x`. */
function acrossLanes(f: Func, x: Local<"v128">, combine: typeof f32x4.add): void {
  f.set(x, combine(x, v128.shuffle32(x, x, [2, 3, 0, 1])));
  f.set(x, combine(x, v128.shuffle32(x, x, [1, 0, 3, 2])));
}

/** scratch[key] = e^(score - maximum); the sum in all lanes, 1 where no key is seen. */
function emitSoftmax(f: Func, device: DeviceInfo, item: Item, vectors: Local<"i32">): Local<"v128"> {
  const max = f.local("v128", f32x4.const(-3e38)); // finite: where every key is hidden, differences must not be NaN
  const at = f.local("i32", item.scratch);
  f.for(0, vectors, 1, () => {
    f.set(max, f32x4.pmax(max, v128.load(at)));
    f.increment(at, 16);
  });
  acrossLanes(f, max, f32x4.pmax);
  const sum = f.local("v128", f32x4.const(0));
  const e = f.local("v128");
  f.set(at, item.scratch);
  f.for(0, vectors, 1, () => {
    f.set(e, exp(f, f32x4.sub(v128.load(at), max), device));
    f.storeV128(at, e);
    f.set(sum, f32x4.add(sum, e));
    f.increment(at, 16);
  });
  acrossLanes(f, sum, f32x4.add);
  f.set(sum, v128.bitselect(f32x4.const(1), sum, f32x4.eq(sum, f32x4.const(0))));
  f.free(max, at, e);
  return sum;
}

/** y = Σ probabilities · values / sum: 32 columns at a time, then 16, 8 and 4; the last four with some before them again. */
function emitValues(f: Func, device: DeviceInfo, a: Arguments, item: Item, sum: Local<"v128">): void {
  const column = f.local("i32", 0);
  const tile = (vectors: number): void => {
    const left = { order: "rows", pointer: item.scratch, stride: 0 } as const;
    const right = { pointer: i32.add(item.v, i32.shl(column, 2)), stride: a.vRow };
    const sums = emitTile(f, device, 1, vectors, item.keys, left, right);
    const to = f.local("i32", i32.add(item.y, i32.shl(column, 2)));
    sums.forEach((total, v) => {
      f.storeV128(to, f32x4.div(total, sum), 16 * v);
    });
    f.free(to, ...sums);
    f.increment(column, 4 * vectors);
  };
  for (const vectors of [8, 4, 2, 1]) {
    f.while(i32.le_s(i32.add(column, 4 * vectors), a.valueSize), () => tile(vectors));
  }
  f.if(i32.lt_s(column, a.valueSize), () => {
    f.set(column, i32.sub(a.valueSize, 4));
    tile(1);
  });
  f.free(column);
}
