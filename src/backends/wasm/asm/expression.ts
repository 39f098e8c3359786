import { float32Bytes, float64Bytes, signed32, signed64, unsigned } from "./encoding.js";

export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

/** A typed expression: the bytes that leave its value on WebAssembly's stack. */
export class Expr<T extends ValType = ValType> {
  readonly type: T;
  readonly bytes: readonly number[];
  constructor(type: T, bytes: readonly number[]) {
    this.type = type;
    this.bytes = bytes;
  }
}

/** An i32 expression or a constant. */
export type I32 = Expr<"i32"> | number;
export type I64 = Expr<"i64"> | bigint;
export type F32 = Expr<"f32"> | number;
export type F64 = Expr<"f64"> | number;
export type V128 = Expr<"v128">;

type Like<T extends ValType> = T extends "i32"
  ? I32
  : T extends "i64"
    ? I64
    : T extends "f32"
      ? F32
      : T extends "f64"
        ? F64
        : V128;

export const constI32 = (value: number): Expr<"i32"> => new Expr("i32", [0x41, ...signed32(value)]);
export const constI64 = (value: bigint): Expr<"i64"> => new Expr("i64", [0x42, ...signed64(value)]);
export const constF32 = (value: number): Expr<"f32"> => new Expr("f32", [0x43, ...float32Bytes(value)]);
export const constF64 = (value: number): Expr<"f64"> => new Expr("f64", [0x44, ...float64Bytes(value)]);

/** The expression, or the constant that a number stands for at type `type`. */
export function lift<T extends ValType>(type: T, value: Like<T> | Expr<T>): Expr<T> {
  if (value instanceof Expr) {
    if (value.type !== type) throw new TypeError(`expected ${type}, found ${value.type}`);
    return value as Expr<T>;
  }
  if (type === "i32") return constI32(value as number) as Expr as Expr<T>;
  if (type === "i64") return constI64(value as bigint) as Expr as Expr<T>;
  if (type === "f32") return constF32(value as number) as Expr as Expr<T>;
  if (type === "f64") return constF64(value as number) as Expr as Expr<T>;
  throw new TypeError("a v128 has no plain constant: use v128.const");
}

/** `op` applied to operands: their bytes in order, then the opcode and its immediates. */
export function apply<R extends ValType>(result: R, operands: readonly Expr[], op: readonly number[]): Expr<R> {
  return new Expr(result, [...operands.flatMap((operand) => operand.bytes), ...op]);
}

export const unary =
  <A extends ValType, R extends ValType>(a: A, result: R, op: readonly number[]) =>
  (x: Like<A>): Expr<R> =>
    apply(result, [lift(a, x)], op);

export const binary =
  <A extends ValType, B extends ValType, R extends ValType>(a: A, b: B, result: R, op: readonly number[]) =>
  (x: Like<A>, y: Like<B>): Expr<R> =>
    apply(result, [lift(a, x), lift(b, y)], op);

/** Opcode of the vector instruction number `n` (prefix 0xfd). */
export const simd = (n: number): number[] => [0xfd, ...unsigned(n)];
/** Opcode of the atomic instruction number `n` (prefix 0xfe). */
export const atomic = (n: number): number[] => [0xfe, ...unsigned(n)];

/** A load's immediates: alignment (log2 of bytes; a hint, any address works) and the constant offset. */
export const memarg = (align: number, offset: number): number[] => [...unsigned(align), ...unsigned(offset)];
