import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cost, Product } from "../specs/node.js";
import { kindOf, productFamily, productTerms, streamBytes } from "./families.js";
import { dot, fitSeconds, type Point, relativeErrors } from "./fit.js";
import { levelFor, type Machine, machineFrom } from "./machine.js";
import { limitOf, predictTime } from "./time.js";

const peaks = {
  ...{ threads: 1, float32: 30e9, int16: 48e9, int8: null },
  levels: [
    { name: "L1", capacity: 48e3, read: 110e9, copy: 200e9 },
    { name: "L2", capacity: 1e6, read: 100e9, copy: 160e9 },
    { name: "memory", capacity: null, read: 10e9, copy: 10e9 },
  ],
};
const family = { seconds: [1e-7, 1.4e-10, 1e-11, 5e-9, 1e-10], memory: 1, points: 9, error: 0.02 };
const machine: Machine = {
  ...{ version: 3, device: "wasm", name: "a test", engine: "none", software: false, threads: 1 },
  ...{ one: peaks, all: peaks, launch: 1e-8 },
  families: {
    "linear/dense/float32/many": family,
    "linear/sparse/float32/many": family,
    "linear/sparse/float32/1": family,
    "linear/dense/float32/1": family,
    "kernel/softmax": { seconds: [1e-7, 1e-10, 0], memory: 1, points: 3, error: 0.01 },
  },
};

const productOf = (rows: number, depth: number, tokens: number, density: number): Product => {
  const kept = Math.round(rows * depth * density);
  const dense = kept === rows * depth;
  return {
    ...{ rows, depth, tokens, kept, bytes: dense ? 4 * kept : 6 * kept },
    ...{ share: dense ? rows : 1, dtype: "float32", window: false, activation: 0 },
  };
};
const costOf = (product: Product): Cost => ({
  multiplyAdds: product.kept * product.tokens,
  bytes: product.bytes + 4 * product.tokens * (product.rows + product.depth),
  product,
});

const size = fc.integer({ min: 8, max: 2000 });
const shape = fc.tuple(size, size, fc.integer({ min: 1, max: 500 }));

describe("a prediction", () => {
  test("is never below what the compute peak allows, where families are not faster than it", () => {
    fc.assert(
      fc.property(shape, fc.double({ min: 0.01, max: 1, noNaN: true }), ([rows, depth, tokens], density) => {
        const cost = costOf(productOf(rows, depth, tokens, density));
        const { seconds } = predictTime("linear", cost, machine, cost.bytes);
        expect(seconds).toBeGreaterThanOrEqual(cost.multiplyAdds / machine.all.float32);
      }),
    );
  });

  test("does not fall where there is more to do", () => {
    const time = (...of: Parameters<typeof productOf>): number =>
      predictTime("linear", costOf(productOf(...of)), machine, 1e9).seconds;
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 400 }), ([rows, depth, tokens], more) => {
        const many = tokens + 12;
        expect(time(rows + more, depth, many, 0.5)).toBeGreaterThanOrEqual(time(rows, depth, many, 0.5));
        expect(time(rows, depth + more, many, 0.5)).toBeGreaterThanOrEqual(time(rows, depth, many, 0.5));
        expect(time(rows, depth, many + more, 0.5)).toBeGreaterThanOrEqual(time(rows, depth, many, 0.5));
        expect(time(rows, depth, many, 0.5)).toBeGreaterThanOrEqual(time(rows, depth, many, 0.25));
      }),
    );
  });

  test("says what binds: memory for one token of a large weight, compute for many, overhead for little", () => {
    const bound = (...of: Parameters<typeof productOf>): string => {
      const cost = costOf(productOf(...of));
      return predictTime("linear", cost, machine, cost.bytes).bound;
    };
    expect(bound(2048, 2048, 1, 1)).toBe("memory");
    expect(bound(512, 512, 256, 1)).toBe("compute");
    expect(bound(8, 8, 1, 1)).toBe("overhead");
  });

  test("takes longer from memory where a family does not reach its bandwidth", () => {
    const half = {
      ...machine,
      families: { ...machine.families, "linear/dense/float32/1": { ...family, memory: 0.5 } },
    };
    const cost = costOf(productOf(4096, 4096, 1, 1));
    const [all, less] = [machine, half].map((m) => predictTime("linear", cost, m, cost.bytes).seconds);
    expect(less! - all!).toBeCloseTo((4 * 4096 * 4096) / 10e9, 6);
  });

  test("knows a family of its own, the nearest, or says that it has none", () => {
    const softmax: Cost = { multiplyAdds: 1e6, bytes: 8e4 };
    expect(predictTime("softmax", softmax, machine, 0)).toMatchObject({ calibrated: true, seconds: 1e-7 + 1e-4 });
    expect(predictTime("pool", softmax, machine, 0).calibrated).toBe(false);
    const half: Product = { ...productOf(64, 64, 64, 0.5), dtype: "float16" };
    expect(productFamily(half)).toBe("linear/sparse/float16/many");
    // One token: bits of places where much is kept, numbers of inputs elsewhere.
    expect(productFamily(productOf(64, 64, 1, 0.5))).toBe("linear/masked/float32/1");
    expect(streamBytes(productOf(64, 64, 1, 0.5))).toBe(64 * 32 * 4 + (64 * 64) / 8);
    expect(productFamily(productOf(64, 64, 1, 0.25))).toBe("linear/sparse/float32/1");
    expect(predictTime("linear", costOf(half), machine, 1e5).calibrated).toBe(true);
    expect(predictTime("alias", { multiplyAdds: 0, bytes: 0 }, machine, 0).seconds).toBe(0);
  });
});

test("a limit is the longer of compute and traffic, at the level that holds the data", () => {
  const cost: Cost = { multiplyAdds: 3e9, bytes: 1e6 };
  expect(limitOf(cost, machine, 1e6)).toEqual({ seconds: 0.1, bound: "compute", intensity: 3000 });
  expect(limitOf({ multiplyAdds: 1e6, bytes: 1e8 }, machine, 1e8)).toMatchObject({ seconds: 0.01, bound: "memory" });
  expect(levelFor(peaks, 48e3).name).toBe("L1");
  expect(levelFor(peaks, 48e3 + 1).name).toBe("L2");
});

test("kinds of products", () => {
  expect(kindOf(productOf(64, 64, 8, 1))).toBe("dense");
  expect(kindOf(productOf(64, 64, 8, 0.5))).toBe("sparse");
  expect(kindOf({ ...productOf(64, 64, 8, 0.5), share: 16 })).toBe("shared");
});

describe("fitSeconds", () => {
  test("finds the seconds that made the measurements", () => {
    const seconds = fc.array(fc.double({ min: 1e-11, max: 1e-9, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(seconds, (truth) => {
        const points: Point[] = [];
        for (const [rows, depth] of [
          [256, 256],
          [768, 512],
          [384, 1536],
          [100, 3000],
        ] as const)
          for (const tokens of [16, 48, 100, 256])
            for (const density of [0.1, 0.5]) {
              const terms = productTerms(productOf(rows, depth, tokens, density));
              points.push({ terms, seconds: dot(terms, truth) });
            }
        // 3000 sweeps bring what is nearly collinear within a thousandth.
        expect(Math.max(...relativeErrors(points, fitSeconds(points)))).toBeLessThan(0.01);
      }),
      { numRuns: 10 },
    );
  });

  test("has nothing negative", () => {
    const points: Point[] = [
      { terms: [1, 1], seconds: 2 },
      { terms: [1, 3], seconds: 1 },
    ];
    expect(fitSeconds(points).every((value) => value >= 0)).toBe(true);
    expect(fitSeconds([])).toEqual([]);
  });
});

describe("machineFrom", () => {
  test("takes what was written", () => {
    expect(machineFrom(JSON.parse(JSON.stringify(machine)))).toEqual(machine);
  });

  test.each<[string, object | null]>([
    ["version", { version: 0 }],
    ["version", null],
    ["device", { device: "abacus" }],
    ["threads", { threads: 0 }],
    ["all", { all: { ...peaks, float32: -1 } }],
    ["one", { one: { ...peaks, levels: [] } }],
    ["families", { families: { x: { seconds: [null], memory: 1, points: 1, error: 0 } } }],
    ["families", { families: { "kernel/softmax": { seconds: [1e-7], memory: 1, points: 1, error: 0 } } }],
  ])("refuses a wrong %s", (field, change) => {
    const json = change === null ? null : { ...machine, ...change };
    expect(() => machineFrom(json)).toThrow(expect.objectContaining({ code: "invalid-argument", place: { field } }));
  });
});
