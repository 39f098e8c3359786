import { bounds, MIN_PAIRS, median } from "./statistics.js";

export interface SearchOptions {
  /** Milliseconds, of the clock `now`. */
  readonly budget: number;
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
  /** Awaited before each turn: lets the host's events through. */
  readonly rest?: () => Promise<unknown>;
}

/** What a search found of a candidate and the default, which were timed in turn. */
export interface Finding {
  /** 0, the default, unless another is faster beyond noise. */
  readonly winner: number;
  /** The fastest but the default, which `ratio` is about. */
  readonly rival: number;
  /** Times of one run in milliseconds, medians. */
  readonly defaultMs: number;
  readonly rivalMs: number;
  /** The default's time over the rival's: median over the rounds, and bounds of it that hold with 95 % confidence or more. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

/** How much faster a candidate must be, at the lower bound: what less brings is not worth a plan that differs. */
export const LEAST_GAIN = 1.02;

/** Milliseconds of a turn's timed runs, and of the turn where most of it is not the runs themselves (on a GPU). */
const TURN = 4;
const LONGEST_TURN = 20;
/** Clocks of browsers are rounded, and say 0 of what is short: ratios must stay numbers. */
const LEAST_MS = 1e-6;
/** Engines compile twice; the better code comes after so many milliseconds of runs, or so many runs that take longer. */
const WARM = 60;
const WARM_RUNS = 3;
/** Rounds of all that are left before the slower half goes. */
const HEAT = 3;
const MOST_ROUNDS = 21;

/**
 * Finds the fastest of `count` candidates, of which 0 is the default; `time` runs one once and says how many milliseconds that took, by whatever
 * clock is best. Candidates are timed in turn; after a few rounds the slower half of the default's rivals goes, until one is left; that one and the
 * default are timed anew, so that it is not the luckiest that wins. It wins if the lower bound of the ratio is at least `LEAST_GAIN`. Candidates that throw
 * are out. Null where the budget, or the signal, ended the search before there was enough to say.
 */
export async function search(
  time: (candidate: number) => number | Promise<number>,
  count: number,
  { budget, now, signal, rest }: SearchOptions,
): Promise<Finding | null> {
  const end = now() + budget;
  const stopped = (by: number): boolean => signal?.aborted === true || now() >= by;
  const turn = async (candidate: number): Promise<number> => {
    await rest?.();
    await time(candidate); // what the others left in the caches is nobody's time
    const start = now();
    let [sum, runs] = [0, 0];
    do {
      sum += await time(candidate);
      runs++;
    } while (sum < TURN && now() - start < LONGEST_TURN);
    return Math.max(sum / runs, LEAST_MS);
  };
  const warmUp = async (candidate: number): Promise<void> => {
    await rest?.();
    const start = now();
    for (let runs = 0; (runs < WARM_RUNS || now() - start < WARM) && !stopped(end); runs++) await time(candidate);
  };

  let rivals: number[] = [];
  await warmUp(0);
  for (let candidate = 1; candidate < count && !stopped(end); candidate++) {
    if (await survives(() => warmUp(candidate))) rivals.push(candidate);
  }
  // Half the time for finding the rival, half for being sure of it.
  const half = now() + (end - now()) / 2;
  while (rivals.length > 1) {
    const times = new Map<number, number[]>(rivals.map((rival) => [rival, []]));
    for (let round = 0; round < HEAT; round++) {
      for (const rival of rivals) {
        if (stopped(half)) break;
        await survives(async () => times.get(rival)!.push(await turn(rival)));
      }
    }
    const timed = rivals.filter((rival) => times.get(rival)!.length > 0);
    timed.sort((a, b) => median(times.get(a)!) - median(times.get(b)!));
    rivals = timed.slice(0, stopped(half) ? 1 : Math.ceil(timed.length / 2));
  }
  const [rival] = rivals;
  if (rival === undefined) return null;

  const pairs: { default: number; rival: number }[] = [];
  const ratios = (): number[] => pairs.map((pair) => pair.default / pair.rival);
  const alive = await survives(async () => {
    while (pairs.length < MOST_ROUNDS && !stopped(end)) {
      const first = pairs.length % 2 === 0 ? 0 : rival;
      const times = { [first]: await turn(first) };
      const second = first === 0 ? rival : 0;
      times[second] = await turn(second);
      pairs.push({ default: times[0]!, rival: times[rival]! });
      if (pairs.length >= MIN_PAIRS && median(ratios()) <= 1) return;
    }
  });
  if (!alive || pairs.length < MIN_PAIRS) return null;
  const { low, high } = bounds(ratios());
  return {
    winner: low >= LEAST_GAIN ? rival : 0,
    rival,
    defaultMs: median(pairs.map((pair) => pair.default)),
    rivalMs: median(pairs.map((pair) => pair.rival)),
    ratio: median(ratios()),
    low,
    high,
    rounds: pairs.length,
  };
}

/** Whether `body` came to its end. */
async function survives(body: () => Promise<unknown>): Promise<boolean> {
  try {
    await body();
    return true;
  } catch {
    return false;
  }
}
