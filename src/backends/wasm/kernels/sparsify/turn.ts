import { type Func, i16x8, i32, type Local, type V128, v128 } from "../../asm/index.js";
import type { ElementCode } from "./elements.js";
import { lineBytesOf, type Panel, type SparsifyArguments } from "./panel.js";
import { BAND, SCRATCH, UNIT, UNIT_CODES } from "./scratch.js";

type Vector = Local<"v128">;

/** Writes out the staged values and codes of a panel's columns: rows of the transposed results, whole lines at a time. */
export function writeTurned(f: Func, element: ElementCode, a: SparsifyArguments, panel: Panel): void {
  writeLines(f, element, a, panel);
  const codes = f.local("i32", i32.add(a.scratch, SCRATCH.codes));
  const stride = f.local("i32", i32.shr_u(i32.add(a.rows, 7), 3));
  const to = f.local("i32", i32.add(i32.mul(panel.col, stride), i32.shr_u(panel.row, 3)));
  f.set(to, i32.add(a.metaT, to));
  const left = f.local("i32", panel.width);
  f.doWhile(
    () => {
      writeCodes(f, a, panel, codes, to, stride, left);
      f.increment(codes, UNIT_CODES);
      f.increment(to, i32.shl(stride, 6));
      f.increment(left, -UNIT);
    },
    () => i32.gt_s(left, 0),
  );
  f.free(codes, stride, to, left);
}

function writeLines(f: Func, element: ElementCode, a: SparsifyArguments, panel: Panel): void {
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

/** The codes of a unit's columns: of each column a code from each of eight strips, two to a byte. */
function writeCodes(
  f: Func,
  a: SparsifyArguments,
  panel: Panel,
  codes: Local<"i32">,
  to: Local<"i32">,
  stride: Local<"i32">,
  left: Local<"i32">,
): void {
  const whole = f.local("i32", i32.and(i32.ge_s(left, UNIT), i32.eq(panel.height, BAND)));
  const bytes = f.localArray("v128", 4);
  const [near, far] = [f.localArray("v128", 2), f.localArray("v128", 2)];
  const four = f.local("v128");
  const target = f.local("i32");
  const tileStride = f.local("i32", i32.shl(stride, 2));
  for (let col = 0; col < 4; col++) {
    bytes.forEach((byte, i) => {
      const of = (strip: number): V128 => v128.load(codes, 64 * strip + 16 * col);
      f.set(byte, v128.or(of(2 * i), i16x8.shl(of(2 * i + 1), 4)));
    });
    const [p, q, r, s] = bytes as [Vector, Vector, Vector, Vector];
    [near, far].forEach((pair, half) => {
      f.set(pair[0]!, v128.shuffle(p, q, interleaved(1, 8 * half)));
      f.set(pair[1]!, v128.shuffle(r, s, interleaved(1, 8 * half)));
    });
    f.set(target, i32.add(to, i32.mul(stride, col)));
    for (let group = 0; group < 4; group++) {
      const [pq, rs] = group < 2 ? near : far;
      f.set(four, v128.shuffle(pq!, rs!, interleaved(2, 8 * (group & 1))));
      f.if(
        whole,
        () => {
          for (let tile = 0; tile < 4; tile++) {
            f.store32Lane(target, four, tile);
            f.increment(target, tileStride);
          }
        },
        () => {
          f.storeV128(a.scratch, four, SCRATCH.edgeTurned);
          for (let tile = 0; tile < 4; tile++) {
            f.if(i32.gt_s(left, 4 * (4 * group + tile)), () => {
              const from = i32.add(a.scratch, SCRATCH.edgeTurned + 4 * tile);
              f.memoryCopy(target, from, i32.shr_u(i32.add(panel.height, 7), 3));
            });
            f.increment(target, tileStride);
          }
        },
      );
    }
  }
  f.free(whole, ...bytes, ...near, ...far, four, target, tileStride);
}

/** Lanes of `size` bytes from two vectors by turns, starting at byte `from` of each. */
const interleaved = (size: number, from: number): number[] =>
  Array.from({ length: 16 }, (_, i) => {
    const lane = Math.floor(i / size);
    return from + size * (lane >> 1) + (i % size) + 16 * (lane & 1);
  });
