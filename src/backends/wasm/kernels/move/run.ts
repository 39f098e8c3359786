import type { ElementBytes } from "../../../specs/node.js";
import { type Func, i32, i64, type Local, v128 } from "../../asm/index.js";

/** Copies one element. */
export function copyElement(f: Func, bytes: ElementBytes, to: Local<"i32">, from: Local<"i32">): void {
  if (bytes === 1) f.storeI32_8(to, i32.load8_u(from));
  else if (bytes === 2) f.storeI32_16(to, i32.load16_u(from));
  else if (bytes === 4) f.storeI32(to, i32.load(from));
  else f.storeI64(to, i64.load(from));
}

/** Runs longer than this are left to the engine's memcpy, which a call costs. */
const LONG_RUN = 1024;

/** Copies `count` bytes, a multiple of `bytes`, and advances `to`; the ranges don't overlap. */
export function copyBytes(
  f: Func,
  bytes: ElementBytes,
  to: Local<"i32">,
  from: Local<"i32">,
  count: Local<"i32">,
): void {
  f.if(
    i32.gt_u(count, LONG_RUN),
    () => {
      f.memoryCopy(to, from, count);
      f.increment(to, count);
    },
    () => {
      const at = f.local("i32", from);
      const left = f.local("i32", count);
      f.while(i32.ge_u(left, 16), () => {
        f.storeV128(to, v128.load(at));
        f.increment(to, 16);
        f.increment(at, 16);
        f.increment(left, -16);
      });
      for (let part = 8; part >= bytes; part /= 2) {
        f.if(i32.and(left, part), () => {
          copyElement(f, part as ElementBytes, to, at);
          f.increment(to, part);
          f.increment(at, part);
        });
      }
      f.free(at, left);
    },
  );
}

/** Writes the element at `from` `count` times. */
export function repeatElement(
  f: Func,
  bytes: ElementBytes,
  to: Local<"i32">,
  from: Local<"i32">,
  count: Local<"i32">,
): void {
  const splat = { 1: v128.load8_splat, 2: v128.load16_splat, 4: v128.load32_splat, 8: v128.load64_splat }[bytes];
  const vector = f.local("v128", splat(from));
  const left = f.local("i32", count);
  const lanes = 16 / bytes;
  f.while(i32.ge_u(left, lanes), () => {
    f.storeV128(to, vector);
    f.increment(to, 16);
    f.increment(left, -lanes);
  });
  f.while(left, () => {
    copyElement(f, bytes, to, from);
    f.increment(to, bytes);
    f.increment(left, -1);
  });
  f.free(vector, left);
}
