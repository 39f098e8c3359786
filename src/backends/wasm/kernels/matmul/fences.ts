import { type Func, i32, type Local } from "../../asm/index.js";

/**
 * Keeps V8's TurboFan from spilling. Up to version 13 it schedules a basic block with all loads first and the multiply-adds
 * as late as it can, so that an unrolled inner loop holds every loaded vector of X at once and drops accumulators to the stack
 * (at less than half the speed). A fence ends the basic block: a branch, never taken, out of the enclosing block of depth
 * `depth`, behind which the accumulators are read, so that what comes before it is done before it. Each fence needs a
 * condition of its own, or V8 sees that it is decided already: `pointer` is compared with -1, -2, …, the last bytes of 4 GiB, where nothing
 * lies. It should be an address that the loop holds in a register anyway: then a fence is a compare and branch in one operation.
 */
export function fences(f: Func, pointer: Local<"i32">): (depth: number) => void {
  let count = 0;
  return (depth) => f.breakFrom(depth, i32.eq(pointer, --count));
}

/** Vector registers that compiled code can use (x86-64: 16, one of them V8's own). */
export const REGISTERS = 15;

/** Loads between two fences where `live` registers are taken: V8 needs two to spare when there is more than one load. */
export const loadsPerFence = (live: number): number => Math.max(1, REGISTERS - 2 - live);
