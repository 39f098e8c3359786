import { type Func, f32x4, i32, i32x4, type Local, type V128, v128 } from "../asm/index.js";
import { storeSome } from "./elementwise/lanes.js";

/** Loops over a line of consecutive floats, four lanes at a time, and over blocks of columns: what reductions and normalizations share. */

/** Calls `body` with each row of the chunk: those from chunk · each on, `each` of them, as far as there are `rows`. */
export function eachRow(
  f: Func,
  chunk: Local<"i32">,
  rows: Local<"i32">,
  each: Local<"i32">,
  body: (row: Local<"i32">) => void,
): void {
  const last = f.local("i32", i32.mul(i32.add(chunk, 1), each));
  f.set(last, i32.min_s(last, rows));
  f.for(i32.mul(chunk, each), last, 1, body);
  f.free(last);
}

const LANES = v128.const([0, 1, 2, 3].flatMap((lane) => [lane, 0, 0, 0]));

/** `x` in its first `count` lanes, `other` in the rest. */
const firstLanes = (x: V128, other: V128, count: Local<"i32">): V128 =>
  v128.bitselect(x, other, i32x4.lt_s(LANES, i32x4.splat(count)));

/** One running value of a fold: lanes of a vector, several vectors of them side by side. */
export interface Fold {
  readonly initial: V128;
  /** The next value; `x` are the lanes of every source, read as often as needed. */
  next(value: Local<"v128">, ...x: Local<"v128">[]): V128;
  /** Two values joined. */
  join(a: V128, b: V128): V128;
}

export const sumOf = (term: (...x: Local<"v128">[]) => V128): Fold => ({
  initial: f32x4.const(0),
  next: (sum, ...x) => f32x4.add(sum, term(...x)),
  join: f32x4.add,
});

export const MAX: Fold = {
  initial: f32x4.const(Number.NEGATIVE_INFINITY),
  next: (max, x) => f32x4.max(max, x!),
  join: f32x4.max,
};

/** All four lanes: the four lanes of `x` joined. */
export function acrossLanes(f: Func, x: V128, join: (a: V128, b: V128) => V128): Local<"v128"> {
  const lanes = f.local("v128", x);
  f.set(lanes, join(lanes, v128.shuffle32(lanes, lanes, [2, 3, 0, 1])));
  f.set(lanes, join(lanes, v128.shuffle32(lanes, lanes, [1, 0, 3, 2])));
  return lanes;
}

/**
 * Folds `count` floats from each of `sources` on; the result, in all lanes, is a local that the caller frees. Four vectors
 * go side by side, so that no addition waits for the one before. `beyond` stands in for what lies behind the end.
 */
export function foldLine(
  f: Func,
  sources: readonly Local<"i32">[],
  count: Local<"i32">,
  fold: Fold,
  beyond: readonly V128[] = sources.map(() => f32x4.const(0)),
): Local<"v128"> {
  const values = Array.from({ length: 4 }, () => f.local("v128", fold.initial));
  const pointers = sources.map((source) => f.local("i32", source));
  const left = f.local("i32", count);
  const lanes = f.localArray("v128", sources.length);
  const step = (vectors: number): void => {
    for (let k = 0; k < vectors; k++) {
      lanes.forEach((lane, s) => {
        f.set(lane, v128.load(pointers[s]!, 16 * k));
      });
      f.set(values[k]!, fold.next(values[k]!, ...lanes));
    }
    for (const pointer of pointers) f.increment(pointer, 16 * vectors);
    f.increment(left, -4 * vectors);
  };
  f.while(i32.ge_s(left, 16), () => step(4));
  f.while(i32.ge_s(left, 4), () => step(1));
  f.if(i32.gt_s(left, 0), () => {
    lanes.forEach((lane, s) => {
      f.set(lane, firstLanes(v128.load(pointers[s]!), beyond[s]!, left));
    });
    f.set(values[0]!, fold.next(values[0]!, ...lanes));
  });
  const [a, b, c, d] = values as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
  f.set(values[0]!, fold.join(fold.join(a, b), fold.join(c, d)));
  const result = acrossLanes(f, values[0]!, fold.join);
  f.free(...values, ...pointers, left, ...lanes);
  return result;
}

/**
 * target[i] = map(sources[0][i], …) for `count` floats; writes nothing beyond. The target may be one of the sources.
 * `visit` sees each vector of results, zero beyond the end.
 */
export function mapLine(
  f: Func,
  sources: readonly Local<"i32">[],
  target: Local<"i32">,
  count: Local<"i32">,
  map: (...x: Local<"v128">[]) => V128,
  visit: (result: Local<"v128">) => void = () => {},
): void {
  const pointers = sources.map((source) => f.local("i32", source));
  const to = f.local("i32", target);
  const left = f.local("i32", count);
  const lanes = f.localArray("v128", sources.length);
  const result = f.local("v128");
  const compute = (): void => {
    lanes.forEach((lane, s) => {
      f.set(lane, v128.load(pointers[s]!));
    });
    f.set(result, map(...lanes));
  };
  f.while(i32.ge_s(left, 4), () => {
    compute();
    f.storeV128(to, result);
    visit(result);
    for (const pointer of [...pointers, to]) f.increment(pointer, 16);
    f.increment(left, -4);
  });
  f.if(i32.gt_s(left, 0), () => {
    compute();
    f.set(result, firstLanes(result, f32x4.const(0), left));
    visit(result);
    storeSome(f, "float32", to, [result], left);
  });
  f.free(...pointers, to, left, ...lanes, result);
}

/** Columns that a block of `eachBlock` holds: a cache line of floats. */
export const BLOCK = 16;

/**
 * Reductions across: a tensor [outer, dim, inner] in blocks of up to 16 columns of one `outer`. Calls `body` with how many
 * vectors it may treat side by side, the element index of the first column in `outer`, its number, and the count of columns
 * that are real in the last vector (null: all).
 */
export function eachBlock(
  f: Func,
  chunk: Local<"i32">,
  { outer, inner, each }: { outer: Local<"i32">; inner: Local<"i32">; each: Local<"i32"> },
  body: (vectors: number, o: Local<"i32">, column: Local<"i32">, some: Local<"i32"> | null) => void,
): void {
  const perRow = f.local("i32", i32.div_u(i32.add(inner, BLOCK - 1), BLOCK));
  const blocks = f.local("i32", i32.mul(outer, perRow));
  const o = f.local("i32");
  const column = f.local("i32");
  const left = f.local("i32");
  eachRow(f, chunk, blocks, each, (block) => {
    f.set(o, i32.div_u(block, perRow));
    f.set(column, i32.mul(i32.rem_u(block, perRow), BLOCK));
    f.set(left, i32.sub(inner, column));
    f.if(
      i32.ge_s(left, BLOCK),
      () => body(BLOCK / 4, o, column, null),
      () => {
        f.while(i32.ge_s(left, 4), () => {
          body(1, o, column, null);
          f.increment(column, 4);
          f.increment(left, -4);
        });
        f.if(i32.gt_s(left, 0), () => body(1, o, column, left));
      },
    );
  });
  f.free(perRow, blocks, o, column, left);
}

/** Stores vectors side by side; `some`: only that many lanes of the one that there is. */
export function storeBlock(
  f: Func,
  pointer: Local<"i32">,
  vectors: readonly Local<"v128">[],
  some: Local<"i32"> | null,
): void {
  if (some === null) {
    vectors.forEach((vector, k) => {
      f.storeV128(pointer, vector, 16 * k);
    });
    return;
  }
  const at = f.local("i32", pointer);
  const lanes = f.local("v128", vectors[0]!);
  storeSome(f, "float32", at, [lanes], some);
  f.free(at, lanes);
}
