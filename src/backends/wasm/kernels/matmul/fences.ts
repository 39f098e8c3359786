import { type Func, i32, type Local } from "../../asm/index.js";

/**
 * Keeps V8's TurboFan from spilling. Up to version 13 it schedules a basic block with all loads first and the multiply-adds
 * as late as it can, so that an unrolled inner loop holds every loaded vector of X at once and drops accumulators to the stack
 * (at less than half the speed). A fence ends the basic block: a branch, never taken, out of the enclosing block of depth
 * `depth`, behind which the accumulators are read, so that what comes before it is done before it. Each fence needs a
 * condition of its own, or V8 sees that it is decided already: `never`, which is never negative, is compared with -1, -2, ….
 * A compare and branch is one operation and free beside 4-cycle multiply-adds.
 */
export function fences(f: Func, never: Local<"i32">): (depth: number) => void {
  let count = 0;
  return (depth) => f.breakFrom(depth, i32.eq(never, --count));
}

/** Vector registers that compiled code can use (x86-64: 16, one of them V8's own). */
export const REGISTERS = 15;

/** Loads between two fences where `live` registers are taken: V8 needs one to spare when there is more than one load. */
export const loadsPerFence = (live: number): number => Math.max(1, REGISTERS - 1 - live);
