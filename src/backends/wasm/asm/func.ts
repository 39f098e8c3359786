import { unsigned } from "./encoding.js";
import {
  type Expr as AnyExpr,
  apply,
  atomic,
  Expr,
  type F32,
  type F64,
  type I32,
  type I64,
  lift,
  memarg,
  simd,
  type V128,
  type ValType,
} from "./expression.js";
import { i32 } from "./instructions.js";

/** A local variable; used as an expression it reads the local. */
export class Local<T extends ValType = ValType> extends Expr<T> {
  readonly index: number;
  constructor(type: T, index: number) {
    super(type, [0x20, ...unsigned(index)]);
    this.index = index;
  }
}

type Value<T extends ValType> = T extends "i32"
  ? I32
  : T extends "i64"
    ? I64
    : T extends "f32"
      ? F32
      : T extends "f64"
        ? F64
        : V128;

/**
 * One function under construction. Statements are appended in order; control flow takes its body as a callback, so that
 * the code that generates a loop has the shape of the loop.
 */
export class Func {
  readonly params: readonly Local[];
  readonly result: ValType | null;
  readonly locals: ValType[] = [];
  readonly code: number[] = [];
  readonly #free = new Map<ValType, Local[]>();

  constructor(params: readonly ValType[], result: ValType | null = null) {
    this.params = params.map((type, index) => new Local(type, index));
    this.result = result;
  }

  /** A new local, set to `initial` if given (locals start at zero, but not again when a loop comes round). */
  local<T extends ValType>(type: T, initial?: Value<T> | AnyExpr<T>): Local<T> {
    const reused = this.#free.get(type)?.pop() as Local<T> | undefined;
    const local = reused ?? new Local(type, this.params.length + this.locals.push(type) - 1);
    if (initial !== undefined) this.set(local, initial);
    return local;
  }

  /** Several locals of one type. */
  localArray<T extends ValType>(type: T, count: number): Local<T>[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** Gives locals back for reuse by later `local` calls; don't use them after. */
  free(...locals: Local[]): void {
    for (const local of locals) {
      const list = this.#free.get(local.type);
      if (list) list.push(local);
      else this.#free.set(local.type, [local]);
    }
  }

  set<T extends ValType>(local: Local<T>, value: Value<T> | AnyExpr<T>): void {
    this.code.push(...lift(local.type, value as never).bytes, 0x21, ...unsigned(local.index));
  }

  /** Sets a local and is its value. */
  tee<T extends ValType>(local: Local<T>, value: Value<T> | AnyExpr<T>): Expr<T> {
    return apply(local.type, [lift(local.type, value as never)], [0x22, ...unsigned(local.index)]) as Expr<T>;
  }

  /** local += step. */
  increment(local: Local<"i32">, step: I32): void {
    this.set(local, i32.add(local, step));
  }

  /** Runs `body` while `condition` holds; it is tested before each round. */
  while(condition: I32, body: () => void): void {
    this.block(() => {
      this.#push(0x03, 0x40); // loop
      this.#emit(i32.eqz(condition));
      this.#push(0x0d, 1); // br_if out
      body();
      this.#push(0x0c, 0, 0x0b); // br again, end
    });
  }

  /** Runs `body` at least once, again as long as `condition` holds after it. The tightest loop that WebAssembly has. */
  doWhile(body: () => void, condition: () => I32): void {
    this.#push(0x03, 0x40);
    body();
    this.#emit(lift("i32", condition()));
    this.#push(0x0d, 0, 0x0b);
  }

  /** for (i = begin; i < end; i += step) body(i), signed. `end` is evaluated in each round: pass a local or a constant. */
  for(begin: I32, end: I32, step: I32, body: (i: Local<"i32">) => void): void {
    const i = this.local("i32", begin);
    this.while(i32.lt_s(i, end), () => {
      body(i);
      this.increment(i, step);
    });
    this.free(i);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.#emit(lift("i32", condition));
    this.#push(0x04, 0x40);
    then();
    if (otherwise) {
      this.#push(0x05);
      otherwise();
    }
    this.#push(0x0b);
  }

  /** A block; inside `body`, `leave()` statements are made by `breakFrom(depth)`. */
  block(body: () => void): void {
    this.#push(0x02, 0x40);
    body();
    this.#push(0x0b);
  }

  /** Jumps out of the `depth`-th enclosing block (0: the innermost; `while` is two deep: 1 leaves it). */
  breakFrom(depth: number, condition?: I32): void {
    if (condition === undefined) this.#push(0x0c, ...unsigned(depth));
    else {
      this.#emit(lift("i32", condition));
      this.#push(0x0d, ...unsigned(depth));
    }
  }

  /** Traps. */
  unreachable(): void {
    this.#push(0x00);
  }

  return(value?: AnyExpr): void {
    if (value) this.#emit(value);
    this.#push(0x0f);
  }

  /** Evaluates an expression for its effect and drops its value. */
  drop(value: AnyExpr): void {
    this.#emit(value);
    this.#push(0x1a);
  }

  /** Leaves the function's result. */
  end(value: AnyExpr): void {
    this.#emit(value);
  }

  // Stores: address, value, constant byte offset.
  storeI32(pointer: I32, value: I32, offset = 0): void {
    this.#store(pointer, lift("i32", value), [0x36], 2, offset);
  }
  storeI32_8(pointer: I32, value: I32, offset = 0): void {
    this.#store(pointer, lift("i32", value), [0x3a], 0, offset);
  }
  storeI32_16(pointer: I32, value: I32, offset = 0): void {
    this.#store(pointer, lift("i32", value), [0x3b], 1, offset);
  }
  storeI64(pointer: I32, value: I64, offset = 0): void {
    this.#store(pointer, lift("i64", value), [0x37], 3, offset);
  }
  storeF32(pointer: I32, value: F32, offset = 0): void {
    this.#store(pointer, lift("f32", value), [0x38], 2, offset);
  }
  storeF64(pointer: I32, value: F64, offset = 0): void {
    this.#store(pointer, lift("f64", value), [0x39], 3, offset);
  }
  storeV128(pointer: I32, value: V128, offset = 0): void {
    this.#store(pointer, value, simd(11), 4, offset);
  }
  /** Stores one 32-bit lane. */
  store32Lane(pointer: I32, value: V128, lane: number, offset = 0): void {
    this.#emit(lift("i32", pointer));
    this.#emit(value);
    this.#push(...simd(90), ...memarg(2, offset), lane);
  }
  /** Stores the low (0) or high (1) 64 bits. */
  store64Lane(pointer: I32, value: V128, lane: number, offset = 0): void {
    this.#emit(lift("i32", pointer));
    this.#emit(value);
    this.#push(...simd(91), ...memarg(3, offset), lane);
  }
  /** Copies `bytes` bytes; the ranges may overlap. */
  memoryCopy(to: I32, from: I32, bytes: I32): void {
    for (const operand of [to, from, bytes]) this.#emit(lift("i32", operand));
    this.#push(0xfc, 10, 0, 0);
  }
  /** Sets `bytes` bytes to `value`. */
  memoryFill(to: I32, value: I32, bytes: I32): void {
    for (const operand of [to, value, bytes]) this.#emit(lift("i32", operand));
    this.#push(0xfc, 11, 0);
  }
  /** Calls function `index` of the imported table of kernels. */
  callKernel(index: I32, args: I32, chunk: I32, thread: I32): void {
    for (const operand of [args, chunk, thread, index]) this.#emit(lift("i32", operand));
    this.#push(0x11, 0, 0);
  }

  atomicStore(pointer: I32, value: I32, offset = 0): void {
    this.#store(pointer, lift("i32", value), atomic(0x17), 2, offset);
  }

  /** The function's body as it stands in the code section. */
  body(): number[] {
    const declared = this.locals.map((type) => [1, TYPE_CODES[type]]);
    const body = [...unsigned(declared.length), ...declared.flat(), ...this.code, 0x0b];
    return [...unsigned(body.length), ...body];
  }

  #store(pointer: I32, value: AnyExpr, op: readonly number[], align: number, offset: number): void {
    this.#emit(lift("i32", pointer));
    this.#emit(value);
    this.#push(...op, ...memarg(align, offset));
  }
  #emit(value: AnyExpr): void {
    for (const byte of value.bytes) this.code.push(byte);
  }
  #push(...bytes: number[]): void {
    this.code.push(...bytes);
  }
}

export const TYPE_CODES: Readonly<Record<ValType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
