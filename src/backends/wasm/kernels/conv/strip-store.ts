import type { Epilogue } from "../../../specs/matmul/epilogue.js";
import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import type { V128 } from "../../asm/instructions.js";
import type { DeviceInfo } from "../../kernel.js";
import { finish, LIGHT } from "../matmul/store.js";

type I = Local<"i32">;

export interface StripStore {
  readonly epilogue: Epilogue;
  /** Sums are multiplied by their output's scale. */
  readonly scaled: boolean;
}

/** Whether sums are finished in the registers in which they are made. */
export const finishesInTile = ({ activation }: Epilogue): boolean => LIGHT.includes(activation);

export interface StripTarget {
  /** Where the strip's first vector goes in y. Spoiled. */
  readonly to: I;
  /** Bytes from y to the residual. */
  readonly residual: I;
  /** Bytes of a row of y. */
  readonly rowBytes: I;
  /** The output's number, for bias and scale. */
  readonly row: I;
  readonly bias: I;
  readonly scales: I;
}

/** Finishes the sums of one output in a strip, a vector a row, and stores them. */
export function storeStrip(
  f: Func,
  { epilogue, scaled }: StripStore,
  sums: readonly V128[],
  { to, residual, rowBytes, row, bias, scales }: StripTarget,
  device: DeviceInfo,
): void {
  const offset = i32.shl(row, 2);
  const addend = epilogue.bias ? f.local("v128", v128.load32_splat(i32.add(bias, offset))) : null;
  const scale = scaled ? f.local("v128", v128.load32_splat(i32.add(scales, offset))) : null;
  sums.forEach((sum, j) => {
    const from = { scale: scale ?? ZERO, bias: addend, residual: v128.load(i32.add(to, residual)) };
    f.storeV128(to, finish(f, { epilogue, scaled }, sum, from, device));
    if (j + 1 < sums.length) f.increment(to, rowBytes);
  });
  for (const local of [addend, scale]) if (local) f.free(local);
}
const ZERO = v128.const(new Array(16).fill(0));

export interface BlockOfSums {
  /** Sums of `rows` outputs from `row` on, `pitch` bytes apart. */
  readonly sums: I;
  readonly rows: I;
  readonly pitch: number;
  /** Bytes of a plane of y. */
  readonly plane: I;
}

/** The same for sums in memory; `target.to` and `target.row` are the first output's. */
export function storeStrips(
  f: Func,
  shape: StripStore,
  height: number,
  { sums, rows, pitch, plane }: BlockOfSums,
  target: StripTarget,
  device: DeviceInfo,
): void {
  const from = f.local("i32", sums);
  const row = f.local("i32", target.row);
  const end = f.local("i32", i32.add(target.row, rows));
  const corner = f.local("i32", target.to);
  const to = f.local("i32");
  f.doWhile(
    () => {
      f.set(to, corner);
      const vectors = Array.from({ length: height }, (_, j) => v128.load(from, 16 * j));
      storeStrip(f, shape, vectors, { ...target, to, row }, device);
      f.increment(from, pitch);
      f.increment(corner, plane);
      f.increment(row, 1);
    },
    () => i32.lt_s(row, end),
  );
  f.free(from, row, end, corner, to);
}
