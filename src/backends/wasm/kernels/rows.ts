import type { Walk } from "../../specs/walk.js";
import type { Func, Local } from "../asm/index.js";
import { i32 } from "../asm/index.js";
import type { Argument, Buffer } from "../kernel.js";

/** Walks over several tensors at once, row by row: what elementwise, moving and reducing kernels share. */

/** A tensor of a walk: where it starts, and the bytes of an element. */
export interface Place {
  readonly at: Buffer | { readonly buffer: Buffer; readonly offset: number };
  readonly bytes: number;
}

/** Bytes that a chunk should read and write: enough to be worth a thread's while, little enough to spread. */
const CHUNK_BYTES = 32 * 1024;

/** Things per chunk (rows, vectors, …) when one takes `bytes` bytes: a multiple of `step`. */
export const perChunk = (bytes: number, step = 1): number =>
  Math.max(step, Math.ceil(CHUNK_BYTES / Math.max(1, bytes) / step) * step);

/** Arguments of `forRows`, and how many chunks it takes. `rowBytes` is what one row reads and writes. */
export function rowArguments(
  walk: Walk,
  places: readonly Place[],
  rowBytes: number,
): { args: Argument[]; chunks: number } {
  const outer = walk.dims.slice(0, -1);
  const rows = outer.reduce((a, b) => a * b, 1);
  const inner = walk.dims.at(-1)!;
  const each = perChunk(rowBytes);
  const args: Argument[] = [rows, each, inner, ...outer];
  places.forEach(({ at, bytes }, t) => {
    args.push(at, ...walk.strides[t]!.slice(0, -1).map((stride) => stride * bytes));
  });
  return { args, chunks: inner === 0 ? 0 : Math.ceil(rows / each) };
}

/** How many arguments `forRows` reads; a kernel's own come after. */
export const rowArgumentCount = (rank: number, tensors: number): number => 3 + (rank - 1) + tensors * rank;

/**
 * Calls `body` in each of the chunk's rows with a pointer into each tensor, which it may advance, and the row's length in
 * elements, which it must not change. `rank` is the number of axes of the walk, the inner one included.
 */
export function forRows(
  f: Func,
  chunk: Local<"i32">,
  args: Local<"i32">,
  { rank, tensors }: { rank: number; tensors: number },
  body: (pointers: Local<"i32">[], inner: Local<"i32">) => void,
): void {
  const load = (index: number) => i32.load(args, 4 * index);
  const dim = (axis: number) => load(3 + axis);
  const base = (t: number) => 3 + (rank - 1) + t * rank;
  const inner = f.local("i32", load(2));
  const pointers = f.localArray("i32", tensors);
  if (rank === 1) {
    pointers.forEach((pointer, t) => {
      f.set(pointer, load(base(t)));
    });
    body(pointers, inner);
    return;
  }
  const row = f.local("i32", i32.mul(chunk, load(1)));
  const last = f.local("i32", i32.add(row, load(1)));
  f.set(last, i32.min_s(last, f.local("i32", load(0))));
  const rest = f.local("i32");
  const count = f.local("i32");
  const at = f.localArray("i32", tensors);
  const step = (t: number, axis: number) => load(base(t) + 1 + axis);
  f.while(i32.lt_s(row, last), () => {
    const middle = f.local("i32", i32.rem_u(row, dim(rank - 2)));
    f.set(rest, i32.div_u(row, dim(rank - 2)));
    f.set(count, i32.sub(dim(rank - 2), middle));
    const left = f.local("i32", i32.sub(last, row));
    f.set(count, i32.min_s(count, left));
    f.increment(row, count);
    at.forEach((pointer, t) => {
      f.set(pointer, i32.add(load(base(t)), i32.mul(middle, step(t, rank - 2))));
    });
    for (let axis = rank - 3; axis >= 0; axis--) {
      const index = axis === 0 ? rest : f.local("i32", i32.rem_u(rest, dim(axis)));
      at.forEach((pointer, t) => {
        f.increment(pointer, i32.mul(index, step(t, axis)));
      });
      if (axis > 0) {
        f.set(rest, i32.div_u(rest, dim(axis)));
        f.free(index);
      }
    }
    f.free(middle, left);
    f.doWhile(
      () => {
        pointers.forEach((pointer, t) => {
          f.set(pointer, at[t]!);
        });
        body(pointers, inner);
        at.forEach((pointer, t) => {
          f.increment(pointer, step(t, rank - 2));
        });
        f.increment(count, -1);
      },
      () => count,
    );
  });
}
