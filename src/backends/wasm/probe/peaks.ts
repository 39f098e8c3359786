import { NonzeroError } from "../../../tensor/index.js";
import type { Level, Peaks } from "../../roofline/index.js";
import { Func, moduleBytes } from "../asm/index.js";
import { detectDevice } from "../device.js";
import type { Argument, KernelCode } from "../kernel.js";
import { type Segment, writePrograms } from "../program.js";
import { type Holding, Session } from "../session.js";
import {
  ACCUMULATORS,
  copyCode,
  emptyCode,
  MULTIPLIES,
  multiplyCode,
  ROUND_BYTES,
  readCode,
  usesInt8,
} from "./kernels.js";

export interface ProbeOptions {
  /** Bytes of the caches, the smallest first; a host that does not know them leaves them out, and usual ones are taken. */
  readonly caches?: readonly number[];
  /** Milliseconds for each figure; default 40. */
  readonly budget?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called before each figure; `share` of the work, 0 to 1. */
  readonly onProgress?: (share: number, doing: string) => void;
}

/** First, second and third cache of a usual processor of 2020. */
const USUAL_CACHES = [32 * 1024, 512 * 1024, 8 * 2 ** 20];
const MOST_BYTES = 256 * 2 ** 20;
/** What all threads have together at most: WebAssembly's memory has 4 GiB. */
const MOST_OF_ALL = 2 ** 30;
const BUDGET_MS = 40;
const LEAST_RUNS = 12;

/** Runs one launch again and again and gives the shortest time, in seconds: a peak is what nothing disturbed. */
interface Bench {
  readonly threads: number;
  best(code: KernelCode, args: readonly Argument[], launches?: number): number;
  allocate(bytes: number): number;
}

/**
 * What WebAssembly makes here at best with `threads` threads, each on data of its own: multiply-adds in registers, and the bandwidth of
 * each cache and of memory. The best of several runs of each, since it is a ceiling.
 * @throws NonzeroError "aborted".
 */
export async function probePeaks(
  threads: number,
  options: ProbeOptions = {},
): Promise<{ peaks: Peaks; launch: number }> {
  const { caches = USUAL_CACHES, signal, onProgress } = options;
  const figures = MULTIPLIES.length + 2 * (caches.length + 1) + 1;
  let done = 0;
  const next = async (doing: string): Promise<void> => {
    onProgress?.(done++ / figures, doing);
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new NonzeroError("aborted", "the probe was stopped");
  };
  const session = new Session(detectDevice(threads));
  const memory = session.hold(null);
  try {
    const bench = benchOf(session, memory, options.budget ?? BUDGET_MS);
    const rates: Record<string, number | null> = {};
    for (const multiply of MULTIPLIES) {
      await next(`multiply-adds, ${multiply.name}`);
      rates[multiply.name] = multiply.name === "int8" && !hasInt8() ? null : multiplyRate(bench, multiply);
    }
    const levels: Level[] = [];
    for (const [i, name] of [...caches.map((_, i) => `L${i + 1}`), "memory"].entries()) {
      const capacity = caches[i] ?? null;
      const bytes = workingSet(caches, i, bench.threads);
      const from = bench.allocate(bytes * bench.threads);
      await next(`${name}, read`);
      const read = bandwidth(bench, readCode, from, bytes);
      await next(`${name}, copy`);
      levels.push({ name, capacity, read, copy: bandwidth(bench, copyCode, from, bytes) });
    }
    await next("launches");
    const launch = bench.best(emptyCode, [], LAUNCHES) / LAUNCHES;
    const { float32, int16, int8 } = rates as Record<"float32" | "int16", number> & { int8: number | null };
    return { peaks: { threads: bench.threads, float32, int16, int8, levels }, launch };
  } finally {
    memory.release();
    session.release();
  }
}

/** Float32 multiply-adds a second with `threads` threads: the first of `probePeaks`' figures, at once. */
export function peakMultiplyAdds(threads: number): number {
  const session = new Session(detectDevice(threads));
  const memory = session.hold(null);
  try {
    return multiplyRate(benchOf(session, memory, 2 * BUDGET_MS), MULTIPLIES[0]!);
  } finally {
    memory.release();
    session.release();
  }
}

const LAUNCHES = 64;

/** A thread's share of what is in a level and in no smaller one: half of the cache, or several times the last. */
function workingSet(caches: readonly number[], level: number, threads: number): number {
  const last = caches.length - 1;
  const bytes =
    level > last
      ? Math.min(MOST_BYTES, 4 * caches[last]!) / threads
      : level === last
        ? caches[level]! / 2 / threads
        : caches[level]! / 2;
  const least = level === 0 ? 4096 : 2 * caches[level - 1]!;
  const wanted = Math.min(Math.max(bytes, least), MOST_OF_ALL / threads);
  return Math.ceil(wanted / (2 * ROUND_BYTES)) * 2 * ROUND_BYTES;
}

function hasInt8(): boolean {
  const f = new Func([]);
  usesInt8(f);
  return WebAssembly.validate(moduleBytes({ probe: f }, { shared: false }));
}

const ITERATIONS = 400_000;

function multiplyRate(bench: Bench, multiply: (typeof MULTIPLIES)[number]): number {
  const to = bench.allocate(64 * bench.threads);
  const seconds = bench.best(multiplyCode(multiply), [to, ITERATIONS]);
  return (multiply.lanes * ACCUMULATORS * ITERATIONS * bench.threads) / seconds;
}

/** Bytes that a run moves at least, so that starting it does not count. */
const RUN_BYTES = 32 * 2 ** 20;

/** Of `bytes` for each thread at `from`. */
function bandwidth(bench: Bench, code: KernelCode, from: number, bytes: number): number {
  const to = bench.allocate(64 * bench.threads);
  const times = Math.ceil(RUN_BYTES / bytes);
  const seconds = bench.best(code, [from, bytes, times, to]);
  return (bytes * times * bench.threads) / seconds;
}

function benchOf({ store }: Session, memory: Holding, budget: number): Bench {
  const { threads } = store.device;
  return {
    threads,
    allocate(bytes) {
      const address = memory.allocate(bytes);
      // Pages that were never written are all the same page, in the first cache.
      new Uint8Array(store.buffer, address, bytes).fill(1);
      return address;
    },
    best(code, args, launches = 1) {
      const action = { launch: { code, args, chunks: threads } };
      const [segment] = writePrograms(new Array(launches).fill(action), store, memory) as [
        Segment & { program: number },
      ];
      const start = performance.now();
      let best = Number.POSITIVE_INFINITY;
      // Engines compile twice, the second time while the first runs, so that early runs are slow.
      for (let runs = 0; runs < LEAST_RUNS || performance.now() - start < budget; runs++) {
        const before = performance.now();
        store.run(segment.program, threads > 1);
        best = Math.min(best, performance.now() - before);
      }
      return best / 1000;
    },
  };
}
