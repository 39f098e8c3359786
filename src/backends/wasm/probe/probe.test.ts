import { beforeAll, describe, expect, test } from "vitest";
import { installNodeHost } from "../host.node.js";
import { calibrationSamples } from "./grid.js";
import { calibrate, probePeaks, product } from "./index.js";

beforeAll(installNodeHost);

describe("probePeaks", () => {
  test("measures one thread and more, with progress", async () => {
    for (const threads of [1, 2]) {
      const shares: number[] = [];
      const options = { caches: [16384, 65536], budget: 0, onProgress: (share: number) => shares.push(share) };
      const { peaks, launch } = await probePeaks(threads, options);
      expect(peaks.threads).toBe(threads);
      expect(peaks.levels.map(({ name, capacity }) => [name, capacity])).toEqual([
        ["L1", 16384],
        ["L2", 65536],
        ["memory", null],
      ]);
      const rates = [peaks.float32, peaks.int16!, ...peaks.levels.flatMap(({ read, copy }) => [read, copy])];
      for (const rate of rates) expect(rate).toBeGreaterThan(1e6);
      expect(launch).toBeGreaterThanOrEqual(0);
      expect(shares).toEqual(shares.toSorted((a, b) => a - b));
      expect(shares.every((share) => share >= 0 && share < 1)).toBe(true);
    }
  });

  test("can be stopped", async () => {
    const controller = new AbortController();
    const stopped = probePeaks(1, { budget: 0, signal: controller.signal, onProgress: () => controller.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("calibrate", () => {
  test("fits families to what it measures", async () => {
    const { peaks } = await probePeaks(1, { caches: [16384], budget: 0 });
    const samples = [24, 48].flatMap((tokens) => ["dense", "50%"].map((p) => () => product(32, 48, tokens, p)));
    const families = await calibrate(peaks, { budget: 0 }, samples);
    expect(Object.keys(families)).toEqual(["linear/dense/float32/many", "linear/sparse/float32/many"]);
    for (const { seconds, points } of Object.values(families)) {
      expect(points).toBe(2);
      expect(seconds.every((value) => value >= 0)).toBe(true);
      expect(Math.max(...seconds)).toBeGreaterThan(0);
    }
  });

  test("has samples of one node each", () => {
    const samples = calibrationSamples();
    expect(samples.length).toBeGreaterThan(100);
    for (const make of samples.filter((_, i) => i % 9 === 0)) expect(make().graph.nodes).toHaveLength(1);
  });
});
