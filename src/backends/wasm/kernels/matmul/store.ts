import type { Epilogue, Order } from "../../../specs/matmul/epilogue.js";
import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import type { V128 } from "../../asm/instructions.js";
import type { DeviceInfo } from "../../kernel.js";
import { activate } from "../../math.js";
import { transpose } from "./panels.js";

type I = Local<"i32">;

export interface StoreArguments {
  /** Sums of the block's rows, `pitch` bytes apart. */
  readonly sums: I;
  readonly rows: I;
  /** First row of the block in W. */
  readonly row: I;
  /** First column of the panel. */
  readonly column: I;
  readonly N: I;
  readonly y: I;
  /** Bytes between rows of y (features or tokens, as the order says). */
  readonly stride: I;
  readonly bias: I;
  readonly residual: I;
  /** Rows' scales, when `scaled`. */
  readonly scales: I;
}

export interface StoreShape {
  readonly width: number;
  readonly pitch: number;
  readonly order: Order;
  readonly epilogue: Epilogue;
  readonly scaled: boolean;
}

/** Finishes and stores a block of sums for one panel. */
export function storeBlock(f: Func, shape: StoreShape, at: StoreArguments, device: DeviceInfo): void {
  (shape.order === "feature-major" ? storeFeatures : storeTokens)(f, shape, at, device);
}

/** The epilogue on four sums. `bias`, `scale` and `residual` are read once each. */
export function finish(
  f: Func,
  { epilogue: { alpha = 1, activation, params, residual: position }, scaled }: Pick<StoreShape, "epilogue" | "scaled">,
  sum: V128,
  from: { scale: V128; bias: V128 | null; residual: V128 },
  device: DeviceInfo,
): V128 {
  let value = scaled ? f32x4.mul(sum, from.scale) : sum;
  if (alpha !== 1) value = f32x4.mul(value, f32x4.const(alpha));
  if (from.bias !== null) value = f32x4.add(value, from.bias);
  if (position === "before") value = f32x4.add(value, from.residual);
  value = activate(f, activation, params, value, device);
  return position === "after" ? f32x4.add(value, from.residual) : value;
}

/** Activations that need no more than a register or two. */
export const LIGHT = ["", "Relu", "Clip"];

/** Whether a tile may finish its sums while it has them in registers, and store them to y. */
export const storesTiles = (order: Order, { activation, residual }: Epilogue): boolean =>
  order === "feature-major" && LIGHT.includes(activation) && residual === "";

export interface TileArguments {
  /** Where the rows of the tile go: y at the panel's first column. */
  readonly rows: readonly I[];
  /** The first row's number in W. */
  readonly row: I;
  readonly bias: I;
  readonly scales: I;
}

/** Finishes the sums of a tile of whole vectors, `first` vectors into its panel, and stores them; where `storesTiles`. */
export function storeTile(
  f: Func,
  shape: StoreShape,
  sums: readonly (readonly Local<"v128">[])[],
  first: number,
  at: TileArguments,
  device: DeviceInfo,
): void {
  const { epilogue, scaled } = shape;
  const bias = f.local("v128");
  const scale = f.local("v128");
  sums.forEach((line, r) => {
    const number = i32.shl(i32.add(at.row, r), 2);
    if (epilogue.bias) f.set(bias, scaledBias(epilogue, v128.load32_splat(i32.add(at.bias, number))));
    if (scaled) f.set(scale, v128.load32_splat(i32.add(at.scales, number)));
    const from = { scale, bias: epilogue.bias ? bias : null, residual: scale };
    line.forEach((sum, j) => {
      f.storeV128(at.rows[r]!, finish(f, shape, sum, from, device), 16 * (first + j));
    });
  });
  f.free(bias, scale);
}

const scaledBias = ({ beta = 1 }: Epilogue, bias: V128): V128 =>
  beta === 1 ? bias : f32x4.mul(bias, f32x4.const(beta));

/** Four floats, the first `count` from memory. */
function loadSome(f: Func, pointer: I, count: I): Local<"v128"> {
  const value = f.local("v128", v128.load32_zero(pointer));
  for (const lane of [1, 2]) {
    f.if(i32.gt_s(count, lane), () => f.set(value, v128.load32_lane(pointer, value, lane, 4 * lane)));
  }
  return value;
}

/** The first `count` (1 to 3) of four floats to memory. */
function storeSome(f: Func, pointer: I, value: Local<"v128">, count: I): void {
  f.store32Lane(pointer, value, 0);
  for (const lane of [1, 2]) f.if(i32.gt_s(count, lane), () => f.store32Lane(pointer, value, lane, 4 * lane));
}

function storeFeatures(f: Func, shape: StoreShape, at: StoreArguments, device: DeviceInfo): void {
  const { width, pitch, epilogue, scaled } = shape;
  const sums = f.local("i32", at.sums);
  const row = f.local("i32", at.row);
  const end = f.local("i32", i32.add(at.row, at.rows));
  const offset = f.local("i32", i32.add(i32.mul(at.row, at.stride), i32.shl(at.column, 2)));
  const inside = f.local("i32", i32.sub(at.N, at.column));
  f.set(inside, i32.min_s(inside, 4 * width));
  const whole = f.local("i32", i32.shl(i32.and(inside, -4), 2));
  const rest = f.local("i32", i32.and(inside, 3));
  const bias = f.local("v128");
  const scale = f.local("v128");
  const y = f.local("i32");
  const residual = f.local("i32");
  const result = f.local("v128");
  f.doWhile(
    () => {
      if (epilogue.bias) f.set(bias, scaledBias(epilogue, v128.load32_splat(i32.add(at.bias, i32.shl(row, 2)))));
      if (scaled) f.set(scale, v128.load32_splat(i32.add(at.scales, i32.shl(row, 2))));
      f.set(y, i32.add(at.y, offset));
      if (epilogue.residual) f.set(residual, i32.add(at.residual, offset));
      const from = { scale, bias: epilogue.bias ? bias : null };
      f.for(0, whole, 16, (c) => {
        const sum = v128.load(i32.add(sums, c));
        const added = v128.load(i32.add(residual, c));
        f.storeV128(i32.add(y, c), finish(f, shape, sum, { ...from, residual: added }, device));
      });
      f.if(rest, () => {
        f.increment(y, whole);
        f.increment(residual, whole);
        const added = epilogue.residual ? loadSome(f, residual, rest) : null;
        const sum = v128.load(i32.add(sums, whole));
        f.set(result, finish(f, shape, sum, { ...from, residual: added ?? result }, device));
        storeSome(f, y, result, rest);
        if (added) f.free(added);
      });
      f.increment(sums, pitch);
      f.increment(offset, at.stride);
      f.increment(row, 1);
    },
    () => i32.lt_s(row, end),
  );
  f.free(sums, row, end, offset, inside, whole, rest, bias, scale, y, residual, result);
}

/** Tokens outermost: a token's row of y is written on end, since rows of y are often a power of two apart and share few cache lines. */
function storeTokens(f: Func, shape: StoreShape, at: StoreArguments, device: DeviceInfo): void {
  const { width, pitch, epilogue, scaled } = shape;
  const inside = f.local("i32", i32.sub(at.N, at.column));
  f.set(inside, i32.min_s(inside, 4 * width));
  const whole = f.local("i32", i32.and(at.rows, -4));
  const rest = f.local("i32", i32.and(at.rows, 3));
  const bias = f.local("v128");
  const scale = f.local("v128");
  const sums = f.local("i32");
  const tokens = f.local("i32", inside);
  const first = f.local("i32", i32.mul(at.column, at.stride));
  const offset = f.local("i32");
  const panel = f.local("i32", at.sums);
  const result = f.local("v128");

  /** 4 tokens of 4 rows, or of the last `count`. */
  const group = (row: I, count: I | null): void => {
    const feature = f.local("i32", i32.shl(i32.add(at.row, row), 2));
    const read = (base: I): V128 => {
      if (count === null) return v128.load(i32.add(base, feature));
      const pointer = f.local("i32", i32.add(base, feature));
      const value = loadSome(f, pointer, count);
      f.free(pointer, value);
      return value;
    };
    if (epilogue.bias) f.set(bias, scaledBias(epilogue, read(at.bias)));
    if (scaled) f.set(scale, read(at.scales));
    f.set(sums, i32.add(panel, i32.mul(row, pitch)));
    f.set(offset, i32.add(first, feature));
    // Rows beyond the last repeat it; their lanes are not stored.
    const lines = [0, 1, 2, 3].map((r) => {
      if (count === null || r === 0) return v128.load(sums, r * pitch);
      return v128.load(i32.add(sums, i32.mul(i32.select(i32.gt_s(count, r), r, i32.sub(count, 1)), pitch)));
    });
    const columns = transpose(f, lines);
    columns.forEach((column, i) => {
      const put = (): void => {
        const from = { scale, bias: epilogue.bias ? bias : null };
        const y = f.local("i32", i32.add(at.y, offset));
        if (count === null) {
          const added = v128.load(i32.add(at.residual, offset));
          f.storeV128(y, finish(f, shape, column, { ...from, residual: added }, device));
        } else {
          const pointer = f.local("i32", i32.add(at.residual, offset));
          const added = epilogue.residual ? loadSome(f, pointer, count) : null;
          f.set(result, finish(f, shape, column, { ...from, residual: added ?? result }, device));
          storeSome(f, y, result, count);
          f.free(pointer);
          if (added) f.free(added);
        }
        f.free(y);
        f.increment(offset, at.stride);
      };
      if (i === 0) put();
      else f.if(i32.gt_s(tokens, i), put);
    });
    f.free(feature, ...columns);
  };
  f.doWhile(
    () => {
      f.for(0, whole, 4, (row) => group(row, null));
      f.if(rest, () => group(whole, rest));
      f.increment(panel, 16);
      f.increment(first, i32.mul(at.stride, 4));
      f.increment(tokens, -4);
    },
    () => i32.gt_s(tokens, 0),
  );
  f.free(inside, whole, rest, bias, scale, sums, tokens, first, offset, panel, result);
}
