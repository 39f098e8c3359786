import { describe, expect, it } from "vitest";
import { NonzeroError } from "../../tensor/index.js";
import { storageCache } from "./cache-storage.js";
import { Choices, type Decision } from "./choices.js";
import { type Task, tasksOf, tune, type Workbench } from "./tune.js";

const taskOf = (key: string, count: number, nodes = 1): Task => {
  const candidates = Array.from({ length: count }, (_, i) => `${i}`);
  const names = Array.from({ length: nodes }, (_, i) => `${key}.${i}`);
  return { key, subject: "kernel", candidates, nodes: names, step: {}, spec: {} } as unknown as Task;
};

/** A workbench on which a task's candidates take `costs` milliseconds of a clock that only they move. */
function machine(costs: Readonly<Record<string, readonly number[]>>) {
  let clock = 0;
  const open = new Set<string>();
  const bench: Workbench = {
    trial({ key }, candidate) {
      const ms = costs[key]![Number(candidate)]!;
      if (Number.isNaN(ms)) throw new NonzeroError("device", "too much workgroup memory");
      const name = `${key}/${candidate}`;
      open.add(name);
      return {
        time: () => {
          clock += ms;
          return ms;
        },
        release: () => open.delete(name),
      };
    },
    clear: () => expect(open).toEqual(new Set()),
  };
  return { bench, open, now: () => clock, rest: async () => {} };
}

describe("tune", () => {
  it("sets what is faster, the heaviest first, and gives everything back", async () => {
    const { bench, now, rest, open } = machine({ light: [1, 0.5], heavy: [2, 3, 1], fine: [3, 4] });
    const choices = new Choices();
    const tasks = [taskOf("light", 2), taskOf("heavy", 3, 10), taskOf("fine", 2)];
    const heard: string[] = [];
    const { results, left } = await tune(tasks, bench, choices, {
      ...{ budget: 10_000, now, rest },
      onResult: ({ key }) => heard.push(key),
    });
    expect(heard).toEqual(["heavy", "fine", "light"]);
    expect(results.map(({ choice }) => choice)).toEqual(["2", "0", "1"]);
    expect(left).toEqual([]);
    expect(["light", "heavy", "fine"].map((key) => choices.has(key))).toEqual([true, true, true]);
    expect(open.size).toBe(0);
  });

  it("keeps to its budget, spends it where the time goes, and says what is left", async () => {
    const { bench, now, rest } = machine({ heavy: [50, 25], light: [0.5, 0.25], huge: [3000, 1000] });
    const { results, left } = await tune(
      [taskOf("light", 2), taskOf("heavy", 2, 9), taskOf("huge", 2)],
      bench,
      new Choices(),
      {
        ...{ budget: 20_000, now, rest },
      },
    );
    expect(now()).toBeLessThan(20_000 + 4 * 3000);
    expect(results.map(({ key }) => key)).not.toContain("huge");
    expect(left.map(({ key }) => key)).toContain("huge");
  });

  it("stops, with what there is", async () => {
    const { bench, now, rest, open } = machine({ a: [2, 1], b: [2, 1] });
    const stop = new AbortController();
    const { results, left } = await tune([taskOf("a", 2), taskOf("b", 2)], bench, new Choices(), {
      ...{ budget: 10_000, now, rest, signal: stop.signal },
      onResult: () => stop.abort(),
    });
    expect([results.length, left.length, open.size]).toEqual([1, 1, 0]);
  });

  it("leaves alone what the device cannot run by itself, and candidates that it refuses", async () => {
    const { bench, now, rest } = machine({ never: [Number.NaN, 1], some: [2, Number.NaN, 1] });
    const { results, left } = await tune([taskOf("never", 2), taskOf("some", 3)], bench, new Choices(), {
      ...{ budget: 10_000, now, rest },
    });
    expect(results).toMatchObject([{ key: "some", winner: 2 }]);
    expect(left).toMatchObject([{ key: "never" }]);
  });
});

it("measures what nodes share once", () => {
  const decision = (key: string, name: string): Decision =>
    ({ ...taskOf(key, 2), step: { node: { name } } }) as unknown as Decision;
  const tasks = tasksOf([decision("a", "x"), decision("b", "y"), decision("a", "z")]);
  expect(tasks.map(({ key, nodes }) => [key, nodes])).toEqual([
    ["a", ["x", "z"]],
    ["b", ["y"]],
  ]);
});

it("keeps results in a page's cache storage, where there is one", async () => {
  const stored = new Map<string, Response>();
  const cache = {
    match: async (key: string) => stored.get(key)?.clone(),
    put: async (k: string, r: Response) => stored.set(k, r),
  };
  const opened: string[] = [];
  const open = async (name: string) => {
    opened.push(name);
    return cache;
  };
  const storage = { open } as unknown as CacheStorage;
  const kept = storageCache(storage)!;
  expect(await kept.read("a b.json")).toBeNull();
  await kept.write("a b.json", "text");
  expect(await kept.read("a b.json")).toBe("text");
  expect(new Set(opened)).toEqual(new Set(["nonzero-tuning"]));
  expect(storageCache(undefined)).toBeNull();
});
