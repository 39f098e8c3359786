import { type Func, f32, f32x4, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import { type DeviceInfo, type KernelCode, kernelFunction } from "../../kernel.js";
import { exp2, madd } from "../../math.js";
import { emitTile } from "../batch-matmul/tile.js";
import { ARGUMENTS, type Arguments, forItems, type Item, type Masking, maskBits } from "./items.js";

/** Queries of a block: three panels of two vectors, four tiles of six rows. */
export const BLOCK_ROWS = 24;
/** Keys of a block: its scores take 9 KiB, which stay in L1 beside a block of keys or values. */
const BLOCK_KEYS = 96;
const PANEL = 8;
const TILE = 6;
const ROW_BYTES = 4 * BLOCK_ROWS;
const NEGATIVE = -3e38;

/** Bytes of a chunk's scratch memory: see `Areas`. */
export const blockScratchBytes = (headSize: number, valueSize: number): number =>
  ROW_BYTES * (headSize + BLOCK_KEYS + 4 * Math.ceil(valueSize / 4) + 3);

/** Parts of the scratch memory. */
interface Areas {
  /** Queries times scale and log2(e), transposed: [headSize][24]. */
  readonly q: Local<"i32">;
  /** Scores, then probabilities, transposed: [96][24]. */
  readonly p: Local<"i32">;
  /** Running maximum, sum and the last change of scale: [3][24]. */
  readonly stats: Local<"i32">;
  /** Sums of values: [24][slots of a vector]; the last slot holds columns valueSize - 4 and on. */
  readonly o: Local<"i32">;
}

const SUM = ROW_BYTES;
const CHANGE = 2 * ROW_BYTES;

/** A block of keys: number of its first key, how many, and their addresses. */
interface KeyBlock {
  readonly first: Local<"i32">;
  readonly count: Local<"i32">;
  readonly k: Local<"i32">;
  readonly v: Local<"i32">;
}

/**
 * Attention of 24 queries at a time, streaming over the keys in blocks of 96 with a running maximum and sum
 * (FlashAttention: Dao et al. 2022; online softmax: Milakov and Gimelshein 2018). Scores are kept transposed, so that queries are the lanes: keys and values are
 * read as they lie, and softmax needs no sums across lanes.
 */
export const attendBlocks = (masking: Masking): KernelCode => ({
  key: `attention/blocks/${masking.mask}/${masking.causal}`,
  build: (device) =>
    kernelFunction(ARGUMENTS.length, (f, { chunk }, locals) => {
      const a = Object.fromEntries(ARGUMENTS.map((name, i) => [name, locals[i]!])) as Arguments;
      forItems(f, chunk, a, BLOCK_ROWS, masking, (item) => emitItem(f, device, a, item, masking));
    }),
});

function emitItem(f: Func, device: DeviceInfo, a: Arguments, item: Item, masking: Masking): void {
  const slots = f.local("i32", i32.shr_u(i32.add(a.valueSize, 3), 2));
  const q = f.local("i32", item.scratch);
  const p = f.local("i32", i32.add(q, i32.mul(a.headSize, ROW_BYTES)));
  const stats = f.local("i32", i32.add(p, BLOCK_KEYS * ROW_BYTES));
  const areas: Areas = { q, p, stats, o: f.local("i32", i32.add(stats, 3 * ROW_BYTES)) };
  const oRow = f.local("i32", i32.shl(slots, 4));
  packQueries(f, a, item, q);
  for (let r = 0; r < BLOCK_ROWS; r += 4) {
    f.storeV128(stats, f32x4.const(Number.NEGATIVE_INFINITY), 4 * r);
    f.storeV128(stats, f32x4.const(0), 4 * r + SUM);
  }
  f.memoryFill(areas.o, 0, i32.mul(oRow, BLOCK_ROWS));

  const block: KeyBlock = {
    first: f.local("i32", 0),
    count: f.local("i32"),
    k: f.local("i32", item.k),
    v: f.local("i32", item.v),
  };
  f.while(i32.lt_s(block.first, item.keys), () => {
    f.set(block.count, i32.sub(item.keys, block.first));
    f.if(i32.gt_s(block.count, BLOCK_KEYS), () => f.set(block.count, BLOCK_KEYS));
    emitScores(f, device, a, item, areas, block);
    if (masking.mask !== "none") emitMask(f, device, a, item, areas, block, masking.mask);
    if (masking.causal) emitCausal(f, a, item, areas, block);
    emitSoftmax(f, device, item, areas, block);
    emitValues(f, device, a, item, areas, block, slots, oRow);
    f.increment(block.first, BLOCK_KEYS);
    f.increment(block.k, i32.mul(a.kRow, BLOCK_KEYS));
    f.increment(block.v, i32.mul(a.vRow, BLOCK_KEYS));
  });
  writeResult(f, a, item, areas, slots);
  f.free(slots, q, p, stats, areas.o, oRow, ...Object.values(block));
}

/** Queries into columns; columns without a query are zero. */
function packQueries(f: Func, a: Arguments, item: Item, q: Local<"i32">): void {
  f.if(i32.lt_s(item.rows, BLOCK_ROWS), () => f.memoryFill(q, 0, i32.mul(a.headSize, ROW_BYTES)));
  const scale = f.local("f32", f32.mul(f32.reinterpret_i32(a.scale), Math.LOG2E));
  const row = f.local("i32", item.q);
  const column = f.local("i32", q);
  f.for(0, item.rows, 1, () => {
    const from = f.local("i32", row);
    const to = f.local("i32", column);
    f.for(0, a.headSize, 1, () => {
      f.storeF32(to, f32.mul(f32.load(from), scale));
      f.increment(from, 4);
      f.increment(to, ROW_BYTES);
    });
    f.increment(row, a.qRow);
    f.increment(column, 4);
    f.free(from, to);
  });
  f.free(scale, row, column);
}

/** p[key][query] = k[key] · q[query]: tiles of 6 keys (then 3, then 1) by 8 queries. */
function emitScores(f: Func, device: DeviceInfo, a: Arguments, item: Item, { q, p }: Areas, block: KeyBlock): void {
  const key = f.local("i32", block.k);
  const to = f.local("i32", p);
  const rest = f.local("i32", block.count);
  const panelsEnd = f.local("i32", i32.mul(4, item.rows));
  const tile = (keys: number): void => {
    f.for(0, panelsEnd, 4 * PANEL, (panel) => {
      const left = { order: "rows", pointer: key, stride: a.kRow } as const;
      const sums = emitTile(f, device, keys, 2, a.headSize, left, { pointer: i32.add(q, panel), stride: ROW_BYTES });
      const at = f.local("i32", i32.add(to, panel));
      sums.forEach((sum, i) => {
        f.storeV128(at, sum, (i >> 1) * ROW_BYTES + 16 * (i & 1));
      });
      f.free(at, ...sums);
    });
    f.increment(key, i32.mul(a.kRow, keys));
    f.increment(to, keys * ROW_BYTES);
    f.increment(rest, -keys);
  };
  f.while(i32.ge_s(rest, TILE), () => tile(TILE));
  f.if(i32.ge_s(rest, 3), () => tile(3));
  f.while(rest, () => tile(1));
  f.free(key, to, rest, panelsEnd);
}

/** Adds the mask, in bits: one value for all queries where it repeats over them, else gathered from the queries' rows. */
function emitMask(
  f: Func,
  device: DeviceInfo,
  a: Arguments,
  item: Item,
  { p }: Areas,
  block: KeyBlock,
  mask: "float32" | "bool",
): void {
  const start = f.local("i32", i32.add(item.mask, i32.mul(block.first, a.maskKey)));
  const at = f.local("i32");
  f.for(0, item.rows, 4, (row) => {
    // Lanes without a query read the last query's mask.
    const pointers = [0, 1, 2, 3].map((lane) => {
      const index = f.local("i32", i32.add(row, lane));
      f.if(i32.ge_s(index, item.rows), () => f.set(index, i32.sub(item.rows, 1)));
      f.set(index, i32.add(start, i32.mul(index, a.maskRow)));
      return index;
    });
    f.set(at, i32.add(p, i32.mul(4, row)));
    const added = f.local("v128");
    const keys = (load: () => void): void => {
      f.for(0, block.count, 1, () => {
        load();
        f.storeV128(at, madd(added, f32x4.const(Math.LOG2E), v128.load(at), device));
        f.increment(at, ROW_BYTES);
        for (const pointer of pointers) f.increment(pointer, a.maskKey);
      });
    };
    f.if(
      i32.eqz(a.maskRow),
      () => keys(() => f.set(added, i32x4.splat(maskBits(mask, pointers[0]!)))),
      () =>
        keys(() => {
          f.set(added, i32x4.splat(maskBits(mask, pointers[0]!)));
          for (let lane = 1; lane < 4; lane++) {
            f.set(added, i32x4.replace_lane(added, lane, maskBits(mask, pointers[lane]!)));
          }
        }),
    );
    f.free(added, ...pointers);
  });
  f.free(start, at);
}

/** Hides the keys behind each query's own position, in blocks that have such keys. */
function emitCausal(f: Func, a: Arguments, item: Item, { p }: Areas, block: KeyBlock): void {
  const position = f.local("i32", i32.add(item.first, a.position));
  f.if(i32.gt_s(i32.add(block.first, block.count), position), () => {
    const lanes = f.local("v128");
    const at = f.local("i32");
    f.for(0, item.rows, 4, (row) => {
      f.set(lanes, i32x4.splat(i32.add(position, row)));
      f.set(lanes, i32x4.add(lanes, v128.const([0, 1, 2, 3].flatMap((lane) => [lane, 0, 0, 0]))));
      f.set(at, i32.add(p, i32.mul(4, row)));
      f.for(0, block.count, 1, (key) => {
        const hidden = i32x4.lt_s(lanes, i32x4.splat(i32.add(block.first, key)));
        f.storeV128(at, v128.bitselect(f32x4.const(Number.NEGATIVE_INFINITY), v128.load(at), hidden));
        f.increment(at, ROW_BYTES);
      });
    });
    f.free(lanes, at);
  });
  f.free(position);
}

/** Scores, in bits, become 2^(score - maximum); maximum, sum and the factor that earlier sums now take are brought up to date. */
function emitSoftmax(f: Func, device: DeviceInfo, item: Item, { p, stats }: Areas, block: KeyBlock): void {
  const panelsEnd = f.local("i32", i32.mul(4, item.rows));
  f.for(0, panelsEnd, 4 * PANEL, (panel) => {
    const stat = f.local("i32", i32.add(stats, panel));
    const halves = [0, 16].map((offset) => ({
      offset,
      max: f.local("v128", v128.load(stat, offset)),
      sum: f.local("v128"),
    }));
    const at = f.local("i32", i32.add(p, panel));
    f.for(0, block.count, 1, () => {
      for (const { offset, max } of halves) f.set(max, f32x4.pmax(max, v128.load(at, offset)));
      f.increment(at, ROW_BYTES);
    });
    for (const { offset, max, sum } of halves) {
      // Where every key so far is hidden, the finite bound keeps differences from being NaN.
      const change = f.local("v128", v128.load(stat, offset));
      f.storeV128(stat, max, offset);
      f.set(max, f32x4.pmax(max, f32x4.const(NEGATIVE)));
      f.set(change, exp2(f, f32x4.sub(change, max), device));
      f.storeV128(stat, change, CHANGE + offset);
      f.set(sum, f32x4.mul(v128.load(stat, SUM + offset), change));
      f.free(change);
    }
    f.set(at, i32.add(p, panel));
    const e = f.local("v128");
    f.for(0, block.count, 1, () => {
      for (const { offset, max, sum } of halves) {
        f.set(e, exp2(f, f32x4.sub(v128.load(at, offset), max), device));
        f.storeV128(at, e, offset);
        f.set(sum, f32x4.add(sum, e));
      }
      f.increment(at, ROW_BYTES);
    });
    for (const { offset, max, sum } of halves) {
      f.storeV128(stat, sum, SUM + offset);
      f.free(max, sum);
    }
    f.free(stat, at, e);
  });
  f.free(panelsEnd);
}

/** Columns of slot `slot`: the last slot starts early enough to be whole. In bytes. */
function slotColumn(f: Func, a: Arguments, slot: Local<"i32">): Local<"i32"> {
  const column = f.local("i32", i32.shl(slot, 4));
  const last = f.local("i32", i32.sub(i32.shl(a.valueSize, 2), 16));
  f.if(i32.gt_s(column, last), () => f.set(column, last));
  f.free(last);
  return column;
}

/** o = o · change + pᵀ · v: tiles of 6 queries by 8 columns, then by 4. */
function emitValues(
  f: Func,
  device: DeviceInfo,
  a: Arguments,
  item: Item,
  { p, stats, o }: Areas,
  block: KeyBlock,
  slots: Local<"i32">,
  oRow: Local<"i32">,
): void {
  const whole = f.local("i32", i32.shr_u(a.valueSize, 2));
  const slot = f.local("i32", 0);
  const tiles = (vectors: number): void => {
    const column = slotColumn(f, a, slot);
    f.for(0, item.rows, TILE, (row) => {
      const offset = f.local("i32", i32.shl(row, 2));
      const left = { order: "columns", pointer: i32.add(p, offset), stride: ROW_BYTES } as const;
      const right = { pointer: i32.add(block.v, column), stride: a.vRow };
      const sums = emitTile(f, device, TILE, vectors, block.count, left, right);
      const to = f.local("i32", i32.add(i32.add(o, i32.shl(slot, 4)), i32.mul(row, oRow)));
      const change = f.local("i32", i32.add(stats, offset));
      const factor = f.local("v128");
      sums.forEach((sum, i) => {
        const [r, v] = [Math.floor(i / vectors), i % vectors];
        if (v === 0) {
          if (r > 0) f.increment(to, oRow);
          f.set(factor, v128.load32_splat(change, CHANGE + 4 * r));
        }
        f.storeV128(to, madd(v128.load(to, 16 * v), factor, sum, device), 16 * v);
      });
      f.free(offset, to, change, factor, ...sums);
    });
    f.increment(slot, vectors);
    f.free(column);
  };
  f.while(i32.le_s(i32.add(slot, 2), whole), () => tiles(2));
  f.while(i32.lt_s(slot, slots), () => tiles(1));
  f.free(whole, slot);
}

/** y = o / sum, zero where no key was seen. */
function writeResult(f: Func, a: Arguments, item: Item, { stats, o }: Areas, slots: Local<"i32">): void {
  const from = f.local("i32", o);
  const to = f.local("i32", item.y);
  const stat = f.local("i32", stats);
  const sum = f.local("v128");
  f.for(0, item.rows, 1, () => {
    f.set(sum, v128.load32_splat(stat, SUM));
    f.set(sum, v128.bitselect(f32x4.const(1), sum, f32x4.eq(sum, f32x4.const(0))));
    f.for(0, slots, 1, (slot) => {
      const column = slotColumn(f, a, slot);
      f.storeV128(i32.add(to, column), f32x4.div(v128.load(from), sum));
      f.increment(from, 16);
      f.free(column);
    });
    f.increment(to, a.yRow);
    f.increment(stat, 4);
  });
  f.free(from, to, stat, sum);
}
