import { describe, expect, test } from "vitest";
import { type Contestant, MIN_ROUNDS, pairedTimes } from "./paired.js";

/** A clock that only work moves, and contestants that take as long as they are told. */
function fake() {
  let time = 0;
  const turns: string[] = [];
  const contestant = (name: string, cost: (run: number) => number): Contestant => {
    let runs = 0;
    return {
      name,
      run() {
        turns.push(name);
        time += cost(runs++);
      },
    };
  };
  const rest = async () => {
    time += 100; // never counted
  };
  return { turns, contestant, clock: { now: () => time, rest, turn: 0 }, elapsed: () => time };
}

describe("pairedTimes", () => {
  test("times contestants in turn, whole rounds only, rests left out", async () => {
    const { turns, contestant, clock } = fake();
    const timed = await pairedTimes([contestant("a", () => 10), contestant("b", () => 20), contestant("c", () => 30)], {
      ...clock,
      rounds: 4,
    });
    expect(timed).toEqual([
      { name: "a", samples: [10, 10, 10, 10] },
      { name: "b", samples: [20, 20, 20, 20] },
      { name: "c", samples: [30, 30, 30, 30] },
    ]);
    expect(turns.slice(-24).join("")).toBe("aabbccaabbccaabbccaabbcc"); // the first of each two is not timed
  });

  test("times runs for as long as a turn takes, and gives their mean", async () => {
    const { turns, contestant, clock } = fake();
    const uneven = contestant("a", (run) => (run % 2 === 0 ? 4 : 8));
    const [timed] = await pairedTimes([uneven], { ...clock, turn: 23, rounds: 1 });
    expect(turns.length).toBeGreaterThan(4);
    expect(timed!.samples).toEqual([6]);
  });

  test("warms each contestant up until its times settle", async () => {
    const { contestant, clock } = fake();
    const tiersUp = contestant("better code comes late", (run) => (run < 5 ? 1000 : run < 10 ? 500 : 100));
    const [timed] = await pairedTimes([tiersUp], { ...clock, rounds: 3, seconds: 1000 });
    expect(timed!.samples).toEqual([100, 100, 100]);
  });

  test("spends its seconds, but times slow work a few rounds all the same", async () => {
    const quick = fake();
    const [a] = await pairedTimes([quick.contestant("a", () => 5)], { ...quick.clock, seconds: 10 });
    expect(a!.samples.length).toBe(Math.ceil(10_000 / 110));
    const slow = fake();
    const [b] = await pairedTimes([slow.contestant("b", () => 60_000)], { ...slow.clock, seconds: 1 });
    expect(b!.samples.length).toBe(MIN_ROUNDS);
    expect(slow.turns.length).toBe(2 * MIN_ROUNDS + 2);
  });

  test("stops on a signal with the complete rounds", async () => {
    const { contestant, clock, turns } = fake();
    const controller = new AbortController();
    const b = contestant("b", () => 7);
    const stopping: Contestant = {
      name: "b",
      run() {
        b.run();
        if (turns.length >= 59) controller.abort();
      },
    };
    const timed = await pairedTimes([contestant("a", () => 3), stopping, contestant("c", () => 1)], {
      ...clock,
      rounds: 1000,
      signal: controller.signal,
    });
    const lengths = new Set(timed.map(({ samples }) => samples.length));
    expect(lengths.size).toBe(1);
    expect([...lengths][0]).toBeGreaterThan(0);
    expect(turns.length).toBeLessThan(59 + 6);
    expect(turns.at(-1)).toBe("b");
  });

  test("tells of its progress, never backwards, up to the end", async () => {
    const { contestant, clock } = fake();
    const shares: number[] = [];
    await pairedTimes([contestant("a", () => 5), contestant("b", () => 5)], {
      ...clock,
      rounds: 5,
      onProgress: (share) => shares.push(share),
    });
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });

  test("lets each contestant settle after its run, untimed", async () => {
    const { contestant, clock, turns } = fake();
    const settling: Contestant = { ...contestant("a", () => 5), settle: async () => void turns.push("settled") };
    const [timed] = await pairedTimes([settling, contestant("b", () => 5)], { ...clock, rounds: 2 });
    expect(timed!.samples).toEqual([5, 5]);
    expect(turns.slice(-10)).toEqual(["a", "a", "settled", "b", "b", "a", "a", "settled", "b", "b"]);
  });

  test("passes on what a contestant throws", async () => {
    const { clock } = fake();
    const broken: Contestant = { name: "x", run: () => Promise.reject(new Error("out of order")) };
    await expect(pairedTimes([broken], clock)).rejects.toThrow("out of order");
  });
});
