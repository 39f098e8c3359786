import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LEAST_GAIN, search } from "./search.js";
import { bounds, MIN_PAIRS, median } from "./statistics.js";

/** Numbers in [0, 1) from a seed (Mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A machine on which candidates take `costs` milliseconds, each run `noise` longer or shorter at most, and now and then ten times as long. */
function machine(costs: readonly number[], { noise = 0, spikes = 0, seed = 1 } = {}) {
  let clock = 0;
  const next = random(seed);
  const runs = costs.map(() => 0);
  return {
    runs,
    now: () => clock,
    time: (candidate: number): number => {
      const ms = costs[candidate]! * (1 + noise * (2 * next() - 1)) * (next() < spikes ? 10 : 1);
      clock += ms;
      runs[candidate]!++;
      return ms;
    },
  };
}

describe("search", () => {
  it("finds the fastest", async () => {
    const { time, now } = machine([1, 0.9, 2, 0.5, 0.8], { noise: 0.02 });
    const found = await search(time, 5, { budget: 5000, now });
    expect(found).toMatchObject({ winner: 3, rival: 3 });
    expect(found!.ratio).toBeCloseTo(2, 1);
    expect(found!.low).toBeGreaterThan(1.9);
  });

  it("keeps the default where the best rival gains less than it must", async () => {
    const { time, now } = machine([1, 1 / (LEAST_GAIN - 0.01), 1.5]);
    expect(await search(time, 3, { budget: 5000, now })).toMatchObject({ winner: 0, rival: 1 });
  });

  it("never takes a slower one, however noisy the machine", async () => {
    const cost = fc.double({ min: 0.01, max: 50, noNaN: true });
    let wrong = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(cost, { minLength: 2, maxLength: 6 }), fc.integer(), async (costs, seed) => {
        const noisy = machine(costs, { noise: 0.5, spikes: 0.05, seed });
        const found = await search(noisy.time, costs.length, { budget: 20_000, now: noisy.now });
        if (found !== null && found.winner !== 0 && costs[found.winner]! > costs[0]!) wrong++;
      }),
      { numRuns: 100 },
    );
    expect(wrong).toBe(0);
  });

  it("takes one of the same speed for a faster one in at most one of twenty searches", async () => {
    let wrong = 0;
    for (let seed = 0; seed < 200; seed++) {
      const equal = machine([1, 1, 1, 1], { noise: 0.5, spikes: 0.05, seed });
      if ((await search(equal.time, 4, { budget: 5000, now: equal.now }))?.winner) wrong++;
    }
    expect(wrong).toBeLessThanOrEqual(10);
  });

  it("keeps to its budget, but for the turn that it is in", async () => {
    const cost = fc.double({ min: 0.5, max: 400, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(cost, { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 5000 }),
        async (costs, budget) => {
          const { time, now } = machine(costs);
          await search(time, costs.length, { budget, now });
          expect(now()).toBeLessThanOrEqual(budget + 5 * Math.max(...costs) + 16);
        },
      ),
    );
  });

  it("gives up where the budget is too small to be sure", async () => {
    const { time, now } = machine([100, 50]);
    expect(await search(time, 2, { budget: 500, now })).toBeNull();
  });

  it("stops when told to", async () => {
    const stop = new AbortController();
    const { time, now, runs } = machine([1, 0.5]);
    const counted = (candidate: number): number => {
      if (runs[0]! + runs[1]! === 10) stop.abort();
      return time(candidate);
    };
    expect(await search(counted, 2, { budget: 5000, now, signal: stop.signal })).toBeNull();
    expect(runs[0]! + runs[1]!).toBeLessThan(20);
  });

  it("passes over candidates that fail", async () => {
    const { time, now } = machine([1, 0.1, 0.5]);
    const failing = (candidate: number): number => {
      if (candidate === 1) throw new Error("too much workgroup memory");
      return time(candidate);
    };
    expect(await search(failing, 3, { budget: 5000, now })).toMatchObject({ winner: 2 });
  });
});

describe("bounds", () => {
  it("holds the median of what was drawn in 95 % of cases", () => {
    const next = random(7);
    for (const n of [MIN_PAIRS, 9, 21]) {
      let held = 0;
      for (let i = 0; i < 2000; i++) {
        const { low, high } = bounds(Array.from({ length: n }, () => next() ** 3));
        if (low <= 0.125 && high >= 0.125) held++;
      }
      expect(held).toBeGreaterThan(1880);
    }
  });

  it("are around the sample's own median", () => {
    const values = [5, 1, 4, 2, 3, 6];
    expect(bounds(values)).toEqual({ low: 1, high: 6 });
    expect(median(values)).toBe(3.5);
    expect(median([3, 1, 2])).toBe(2);
  });
});
