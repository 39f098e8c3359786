import { Func, type I32, i32, type Local, moduleBytes } from "./asm/index.js";

/**
 * The loop that every thread runs: steps in order, each step's chunks shared out by an atomic counter, and a barrier after each step.
 *
 * A program in memory (i32 words, 64-byte aligned):
 *
 * | byte | word |
 * | --- | --- |
 * | 0 | state: epoch × 256 + threads at work |
 * | 4 | not 0 once a thread's kernel trapped: all others trap instead of waiting for its chunk |
 * | 64 | number of steps |
 * | 128 + 64·s | step s: kernel's index in the table, address of its arguments, chunks, next chunk, chunks done, sleepers |
 *
 * The leader opens an epoch, followers join it while it is open, all run the steps, and the leader closes it when the last has left:
 * a follower that wakes too late finds another epoch and goes back to sleep.
 */
export const PROGRAM_HEADER = 128;
export const STEP_BYTES = 64;
export const STEP = { kernel: 0, args: 4, chunks: 8, next: 12, done: 16, sleepers: 20 } as const;
export const STATE = 0;
export const FAILED = 4;
const COUNT = 64;

const SPINS = 2000;
const NAP = 1_000_000n; // nanoseconds; only a bound, the last chunk's thread wakes sleepers at once

export interface Driver {
  /** Resets the counters and opens an epoch. */
  open(program: number, epoch: number): void;
  /** Runs all steps with whoever joins, then closes the epoch. `mayBlock`: 1 where this thread may sleep. */
  lead(program: number, epoch: number, mayBlock: number): void;
  /** Joins an epoch if it is still open. */
  follow(program: number, epoch: number): void;
  /** Runs all steps alone, without atomics. */
  serial(program: number): void;
}

/** The driver's module; imports `env.memory` and `env.table`. Without shared memory it has `serial` only. */
export function driverBytes(shared: boolean): Uint8Array<ArrayBuffer> {
  const functions = shared ? { serial: serial(), open: open(), lead: lead(), follow: follow() } : { serial: serial() };
  return moduleBytes(functions, { shared, table: true });
}

function forEachStep(f: Func, program: Local<"i32">, body: (step: Local<"i32">) => void): void {
  const step = f.local("i32", i32.add(program, PROGRAM_HEADER));
  const end = f.local("i32", i32.add(step, i32.mul(i32.load(program, COUNT), STEP_BYTES)));
  f.while(i32.lt_u(step, end), () => {
    body(step);
    f.increment(step, STEP_BYTES);
  });
}

const call = (f: Func, step: Local<"i32">, chunk: I32, thread: I32): void =>
  f.callKernel(i32.load(step, STEP.kernel), i32.load(step, STEP.args), chunk, thread);

function serial(): Func {
  const f = new Func(["i32"]);
  const [program] = f.params as [Local<"i32">];
  forEachStep(f, program, (step) => {
    const chunks = f.local("i32", i32.load(step, STEP.chunks));
    f.for(0, chunks, 1, (chunk) => call(f, step, chunk, 0));
    f.free(chunks);
  });
  return f;
}

function open(): Func {
  const f = new Func(["i32", "i32"]);
  const [program, epoch] = f.params as [Local<"i32">, Local<"i32">];
  forEachStep(f, program, (step) => {
    for (const counter of [STEP.next, STEP.done, STEP.sleepers]) f.storeI32(step, 0, counter);
  });
  f.storeI32(program, 0, FAILED);
  f.atomicStore(program, i32.shl(epoch, 8), STATE);
  return f;
}

function work(f: Func, program: Local<"i32">, mayBlock: I32, thread: I32): void {
  const chunk = f.local("i32");
  const chunks = f.local("i32");
  const done = f.local("i32");
  const spins = f.local("i32");
  forEachStep(f, program, (step) => {
    f.set(chunks, i32.load(step, STEP.chunks));
    f.while(i32.lt_u(f.tee(chunk, i32.atomic_add(step, 1, STEP.next)), chunks), () => {
      call(f, step, chunk, thread);
      f.set(done, i32.add(i32.atomic_add(step, 1, STEP.done), 1));
      f.if(i32.and(i32.eq(done, chunks), i32.ne(i32.atomic_load(step, STEP.sleepers), 0)), () =>
        f.drop(i32.atomic_notify(step, -1, STEP.done)),
      );
    });
    f.set(spins, 0);
    f.while(i32.lt_u(f.tee(done, i32.atomic_load(step, STEP.done)), chunks), () => {
      f.increment(spins, 1);
      f.if(i32.atomic_load(program, FAILED), () => f.unreachable());
      f.if(i32.and(i32.gt_u(spins, SPINS), mayBlock), () => {
        f.drop(i32.atomic_add(step, 1, STEP.sleepers));
        f.drop(i32.atomic_wait(step, done, NAP, STEP.done));
        f.drop(i32.atomic_add(step, -1, STEP.sleepers));
      });
    });
  });
}

function lead(): Func {
  const f = new Func(["i32", "i32", "i32"]);
  const [program, epoch, mayBlock] = f.params as Local<"i32">[] as [Local<"i32">, Local<"i32">, Local<"i32">];
  work(f, program, mayBlock, 0);
  const opened = f.local("i32", i32.shl(epoch, 8));
  f.while(i32.ne(i32.atomic_cmpxchg(program, opened, i32.add(opened, 256), STATE), opened), () => {});
  return f;
}

function follow(): Func {
  const f = new Func(["i32", "i32"]);
  const [program, epoch] = f.params as [Local<"i32">, Local<"i32">];
  const state = f.local("i32");
  const seen = f.local("i32");
  f.set(state, i32.atomic_load(program, STATE));
  f.while(i32.eq(i32.shr_u(state, 8), i32.and(epoch, 0xffffff)), () => {
    f.set(seen, i32.atomic_cmpxchg(program, state, i32.add(state, 1), STATE));
    f.if(i32.eq(seen, state), () => {
      // Threads leave only when all is done: until then the count of those at work numbers the next.
      work(f, program, 1, f.local("i32", i32.add(i32.and(state, 255), 1)));
      f.drop(i32.atomic_add(program, -1, STATE));
      f.return();
    });
    f.set(state, seen);
  });
  return f;
}
