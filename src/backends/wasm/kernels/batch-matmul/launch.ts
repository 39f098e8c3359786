import { type BatchMatMulSpec, MAX_BATCH_AXES } from "../../../specs/matmul/batch.js";
import { type Func, f32, f32x4, i32, type Local } from "../../asm/index.js";
import { type Argument, type Buffer, floatArgument } from "../../kernel.js";

/** The arguments that all multiplications share, in this order, then three for each batch axis. */
export interface Operands {
  readonly a: Local<"i32">;
  readonly b: Local<"i32">;
  readonly y: Local<"i32">;
  readonly m: Local<"i32">;
  readonly n: Local<"i32">;
  readonly k: Local<"i32">;
  /** Chunks that a matrix is divided into, and rows (or columns) of each. */
  readonly parts: Local<"i32">;
  readonly partSize: Local<"i32">;
  /** Bytes from one matrix of y to the next. */
  readonly yBytes: Local<"i32">;
}

const FIXED = 10;
export const ARGUMENTS = FIXED + 3 * MAX_BATCH_AXES;

/** The arguments of a launch; `bBytes` is the size of one of B's matrices as they lie at `b`. */
export function operandArguments(
  spec: BatchMatMulSpec,
  at: { a: Buffer; b: Buffer; y: Buffer },
  parts: number,
  partSize: number,
  bBytes: number,
): Argument[] {
  const aBytes = 4 * spec.m * spec.k;
  const axes = spec.batch.flatMap(({ size, a, b }) => [size, a * aBytes, b * bBytes]);
  const { m, n, k } = spec;
  return [at.a, at.b, at.y, m, n, k, parts, partSize, 4 * m * n, floatArgument(spec.alpha), ...axes];
}

/**
 * Names the arguments and moves a, b and y to the matrices of this chunk, whose number is chunk / parts. Also gives the part
 * (chunk mod parts) and alpha in every lane.
 */
export function openChunk(
  f: Func,
  chunk: Local<"i32">,
  args: readonly Local<"i32">[],
): Operands & { part: Local<"i32">; alpha: Local<"v128"> } {
  const [a, b, y, m, n, k, parts, partSize, yBytes, alphaBits] = args as [
    Local<"i32">,
    ...Local<"i32">[],
  ] as Local<"i32">[];
  const part = f.local("i32", i32.rem_u(chunk, parts!));
  const index = f.local("i32", i32.div_u(chunk, parts!));
  f.increment(y!, i32.mul(index, yBytes!));
  for (let axis = MAX_BATCH_AXES - 1; axis >= 0; axis--) {
    const [size, aStep, bStep] = args.slice(FIXED + 3 * axis, FIXED + 3 * axis + 3) as Local<"i32">[];
    const digit = f.local("i32", axis === 0 ? index : i32.rem_u(index, size!));
    f.increment(a!, i32.mul(digit, aStep!));
    f.increment(b!, i32.mul(digit, bStep!));
    if (axis > 0) f.set(index, i32.div_u(index, size!));
    f.free(digit);
  }
  f.free(index);
  const alpha = f.local("v128", f32x4.splat(f32.reinterpret_i32(alphaBits!)));
  return { a: a!, b: b!, y: y!, m: m!, n: n!, k: k!, parts: parts!, partSize: partSize!, yBytes: yBytes!, part, alpha };
}
