import { type Func, i16x8, i32, type Local, type V128, v128 } from "../../asm/index.js";
import type { ElementCode } from "./elements.js";
import type { Panel, SparsifyArguments } from "./panel.js";
import { BAND, lineBytesOf, SCRATCH, UNIT, UNIT_CODES } from "./scratch.js";

type Vector = Local<"v128">;

/** Bytes of codes of a column that are written at once: of 32 strips. */
const QUAD = 16;

/** Writes out the staged codes of a chunk's columns: rows of the transposed metadata. */
export function writeTurnedCodes(f: Func, a: SparsifyArguments, chunk: Omit<Panel, "codes">): void {
  const codes = f.local("i32", i32.add(a.scratch, SCRATCH.codes));
  const stride = f.local("i32", i32.shr_u(i32.add(a.rows, 7), 3));
  const to = f.local("i32", i32.add(i32.mul(chunk.col, stride), i32.shr_u(chunk.row, 3)));
  f.set(to, i32.add(a.metaT, to));
  const left = f.local("i32", chunk.width);
  const bytes = f.local("i32", i32.shr_u(i32.add(chunk.height, 7), 3));
  f.doWhile(
    () => {
      f.for(0, bytes, QUAD, (at) => {
        const from = f.local("i32", i32.add(codes, i32.shl(at, 7)));
        const first = f.local("i32", i32.add(to, at));
        const length = f.local("i32", i32.sub(bytes, at));
        writeCodes(f, a.scratch, from, first, stride, left, length);
        f.free(from, first, length);
      });
      f.increment(codes, UNIT_CODES);
      f.increment(to, i32.shl(stride, 6));
      f.increment(left, -UNIT);
    },
    () => i32.gt_s(left, 0),
  );
  f.free(codes, stride, to, left, bytes);
}

/** Writes out the staged values of a panel's columns: rows of the transposed matrix, whole lines at a time. */
export function writeTurned(f: Func, element: ElementCode, a: SparsifyArguments, panel: Panel): void {
  const { bytes } = element;
  const lineBytes = lineBytesOf(element);
  const line = f.local("i32", i32.add(a.scratch, SCRATCH.lines));
  const stride = f.local("i32", i32.mul(a.rows, bytes / 2));
  const to = f.local("i32", i32.add(i32.mul(panel.col, stride), i32.mul(panel.row, bytes / 2)));
  f.set(to, i32.add(a.packedT, to));
  const eachColumn = (copy: () => void): void => {
    f.for(0, panel.width, 1, () => {
      copy();
      f.increment(line, lineBytes);
      f.increment(to, stride);
    });
  };
  f.if(
    i32.eq(panel.height, BAND),
    () =>
      eachColumn(() => {
        for (let at = 0; at < lineBytes; at += 16) f.storeV128(to, v128.load(line, at), at);
      }),
    () => eachColumn(() => f.memoryCopy(to, line, i32.mul(panel.height, bytes / 2))),
  );
  f.free(line, stride, to);
}

/**
 * The codes of a unit's columns, `left` of them in the matrix: of each column a code from each of 32 strips, two to a byte, of which `length` bytes
 * are in the matrix.
 */
function writeCodes(
  f: Func,
  scratch: Local<"i32">,
  codes: Local<"i32">,
  to: Local<"i32">,
  stride: Local<"i32">,
  left: Local<"i32">,
  length: Local<"i32">,
): void {
  const whole = f.local("i32", i32.and(i32.ge_s(left, UNIT), i32.ge_s(length, QUAD)));
  const inside = f.local("i32", i32.const(QUAD));
  f.set(inside, i32.min_s(inside, length));
  const four = f.localArray("v128", 4);
  const pair = f.localArray("v128", 4);
  const target = f.local("i32");
  const tileStride = f.local("i32", i32.shl(stride, 2));
  const [from, first] = [f.local("i32", codes), f.local("i32", to)];
  const end = f.local("i32", i32.add(codes, 64));
  const turned = f.local("i32");
  const turnedEnd = f.local("i32", i32.add(scratch, SCRATCH.turned + 256));
  const tilesLeft = f.local("i32");
  f.doWhile(
    () => {
      for (let eight = 0; eight < 4; eight++) stageCodes(f, scratch, from, 512 * eight, 16 * eight);
      f.set(target, first);
      f.set(turned, i32.add(scratch, SCRATCH.turned));
      f.set(tilesLeft, i32.shr_s(left, 2));
      f.doWhile(
        () => {
          turnFour(f, turned, four, pair);
          f.if(
            whole,
            () => {
              for (const codes of four) {
                f.storeV128(target, codes);
                f.increment(target, tileStride);
              }
            },
            () => {
              four.forEach((codes, tile) => {
                f.if(i32.gt_s(tilesLeft, tile), () => {
                  f.storeV128(turned, codes);
                  f.memoryCopy(target, turned, inside);
                });
                f.increment(target, tileStride);
              });
            },
          );
          f.increment(turned, 64);
          f.increment(tilesLeft, -4);
        },
        () => i32.lt_u(turned, turnedEnd),
      );
      f.increment(from, 16);
      f.increment(first, stride);
    },
    () => i32.lt_u(from, end),
  );
  f.free(from, first, end, turned, turnedEnd, tilesLeft);
  f.free(whole, inside, ...four, ...pair, target, tileStride);
}

/** Reads four vectors of four words and turns them: the first words of each, the second, … */
function turnFour(f: Func, from: Local<"i32">, four: readonly Vector[], pair: readonly Vector[]): void {
  four.forEach((words, i) => {
    f.set(words, v128.load(from, 16 * i));
  });
  const [p, q, r, s] = four as [Vector, Vector, Vector, Vector];
  f.set(pair[0]!, v128.shuffle32(p, q, [0, 4, 1, 5]));
  f.set(pair[1]!, v128.shuffle32(r, s, [0, 4, 1, 5]));
  f.set(pair[2]!, v128.shuffle32(p, q, [2, 6, 3, 7]));
  f.set(pair[3]!, v128.shuffle32(r, s, [2, 6, 3, 7]));
  four.forEach((words, i) => {
    const [near, far] = [pair[i & 2]!, pair[(i & 2) + 1]!];
    f.set(words, v128.shuffle32(near, far, i % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]));
  });
}

/** A column's codes of eight strips, for each of 16 tiles four bytes. */
function stageCodes(f: Func, scratch: Local<"i32">, codes: Local<"i32">, from: number, to: number): void {
  const bytes = f.localArray("v128", 4);
  const [near, far] = [f.localArray("v128", 2), f.localArray("v128", 2)];
  bytes.forEach((byte, i) => {
    const of = (strip: number): V128 => v128.load(codes, from + 64 * strip);
    f.set(byte, v128.or(of(2 * i), i16x8.shl(of(2 * i + 1), 4)));
  });
  const [p, q, r, s] = bytes as [Vector, Vector, Vector, Vector];
  [near, far].forEach((pair, half) => {
    f.set(pair[0]!, v128.shuffle(p, q, interleaved(1, 8 * half)));
    f.set(pair[1]!, v128.shuffle(r, s, interleaved(1, 8 * half)));
  });
  for (let group = 0; group < 4; group++) {
    const [pq, rs] = group < 2 ? near : far;
    const four = v128.shuffle(pq!, rs!, interleaved(2, 8 * (group & 1)));
    f.storeV128(scratch, four, SCRATCH.turned + 64 * group + to);
  }
  f.free(...bytes, ...near, ...far);
}

/** Lanes of `size` bytes from two vectors by turns, starting at byte `from` of each. */
const interleaved = (size: number, from: number): number[] =>
  Array.from({ length: 16 }, (_, i) => {
    const lane = Math.floor(i / size);
    return from + size * (lane >> 1) + (i % size) + 16 * (lane & 1);
  });
