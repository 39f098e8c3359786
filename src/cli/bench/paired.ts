import { breathe } from "./quiet.js";
import { median } from "./statistics.js";

/** Something to be timed: `run` does the work once. */
export interface Contestant {
  readonly name: string;
  readonly run: () => unknown | Promise<unknown>;
  /** Awaited after each run, untimed: until what the run left behind has come to rest. */
  readonly settle?: (() => Promise<unknown>) | undefined;
}

export interface PairedOptions {
  /** Complete rounds to time. Without it: as many as `seconds` hold, at least `MIN_ROUNDS`. */
  readonly rounds?: number;
  /** Milliseconds that a turn's timed runs take, at least; default 20. */
  readonly turn?: number;
  /** Time to spend on each contestant on average, warm-up not counted; default 3. */
  readonly seconds?: number;
  /** Stops between two runs; what was timed in complete rounds is returned. */
  readonly signal?: AbortSignal;
  /** Called before each warm-up and after each round; `share` of all the work, 0 to 1. */
  readonly onProgress?: (share: number, doing: string) => void;
  /** Milliseconds; default `performance.now`. */
  readonly now?: () => number;
  /** Awaited before each run, untimed; default `breathe`. */
  readonly rest?: () => Promise<unknown>;
}

/** A contestant's times, one a round: `samples[i]` of all contestants come from the same round. */
export interface Timed {
  readonly name: string;
  readonly samples: readonly number[];
}

export const MIN_ROUNDS = 5;
const WINDOW = 5;
const SETTLED = 0.95;
const WARM_UP_MS = 400;
const TURN_MS = 20;

/**
 * Times contestants in turn, A B C A B C …, after each has been warmed up until its times settle. A turn is a run that is not timed, for what the others
 * left in the caches and threads that fell asleep meanwhile are nobody's time, and then runs for `turn` milliseconds, of which the mean is the
 * sample. What the machine does to one round it does to all, so compare round by round (`pairedRatio`).
 */
export async function pairedTimes(contestants: readonly Contestant[], options: PairedOptions = {}): Promise<Timed[]> {
  const { signal, onProgress, rounds = Number.POSITIVE_INFINITY, seconds = 3, turn = TURN_MS } = options;
  const now = options.now ?? (() => performance.now());
  const rest = options.rest ?? breathe;
  const time = async ({ run, settle }: Contestant): Promise<number> => {
    await rest();
    const start = now();
    await run();
    const ms = now() - start;
    await settle?.();
    return ms;
  };
  const takeTurn = async ({ run, settle }: Contestant): Promise<number> => {
    await rest();
    await run();
    const start = now();
    let runs = 0;
    do {
      await run();
      runs++;
    } while (now() - start < turn);
    const ms = (now() - start) / runs;
    await settle?.();
    return ms;
  };

  const budget = 1000 * seconds * contestants.length;
  for (const [i, contestant] of contestants.entries()) {
    onProgress?.((0.2 * i) / contestants.length, `warming up ${contestant.name}`);
    await warmUp(() => time(contestant), now, 1000 * seconds, signal);
  }

  const samples = contestants.map((): number[] => []);
  const start = now();
  for (let round = 0; round < rounds && !signal?.aborted; round++) {
    const elapsed = now() - start;
    if (options.rounds === undefined && round >= MIN_ROUNDS && elapsed >= budget) break;
    const times: number[] = [];
    for (const contestant of contestants) {
      if (signal?.aborted) break;
      times.push(await takeTurn(contestant));
    }
    if (times.length < contestants.length) break;
    times.forEach((ms, i) => samples[i]!.push(ms));
    const done = options.rounds === undefined ? elapsed / budget : (round + 1) / rounds;
    onProgress?.(0.2 + 0.8 * Math.min(1, done), `round ${round + 1}`);
  }
  return contestants.map(({ name }, i) => ({ name, samples: samples[i]! }));
}

/**
 * Runs until two windows of runs in a row take about the same time: engines compile twice, and the better code comes late. Work so slow
 * that this takes longer than `limit` milliseconds is not waited for: two runs will do.
 */
async function warmUp(
  time: () => Promise<number>,
  now: () => number,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const start = now();
  const times: number[] = [];
  while (!signal?.aborted) {
    times.push(await time());
    const elapsed = now() - start;
    if (times.length >= 2 && elapsed >= limit) return;
    if (times.length < 2 * WINDOW || elapsed < Math.min(WARM_UP_MS, limit)) continue;
    const before = median(times.slice(-2 * WINDOW, -WINDOW));
    if (median(times.slice(-WINDOW)) >= SETTLED * before) return;
  }
}
