import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noise, perceptron } from "../../../test/support/small-models.js";
import { parsePattern } from "../../sparsity/index.js";
import type { LayerPruner } from "../layer-pruner.js";
import { magnitudePruner, sparseGpt } from "../methods/index.js";
import { applyFakeSparsity } from "../sparsify.js";
import { InputAccumulator } from "../statistics/index.js";
import { allocate, outlierRatio, owlSparsities, sensitivity, type Trial } from "./index.js";

const trial = (weight: string, sparsity: number, error: number, entries = 100): Trial => ({
  ...{ weight, nodes: [weight], pattern: `${100 * sparsity}%`, method: "magnitude", rows: 1, cols: entries },
  ...{ sparsity, error, bytes: 4 * entries * (1 - sparsity), denseBytes: 4 * entries, milliseconds: 0 },
});

const layers = fc.array(
  fc.record({
    entries: fc.integer({ min: 1, max: 60 }),
    trials: fc.uniqueArray(
      fc.record({
        sparsity: fc.integer({ min: 1, max: 20 }).map((n) => n / 20),
        error: fc.integer({ min: 0, max: 30 }).map((n) => n / 8),
      }),
      { minLength: 1, maxLength: 3, selector: ({ sparsity }) => sparsity },
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

describe("allocate", () => {
  test("keeps within the budget, at no more than the best choice's error and one step's", () => {
    fc.assert(
      fc.property(layers, fc.integer({ min: 0, max: 20 }), (made, twentieths) => {
        const target = twentieths / 20;
        const trials = made.flatMap(({ entries, trials }, i) =>
          trials.map((t) => trial(`w${i}`, t.sparsity, t.error, entries)),
        );
        const total = made.reduce((sum, { entries }) => sum + entries, 0);
        // All combinations, one by one.
        let best = Number.POSITIVE_INFINITY;
        const choose = (i: number, zeros: number, error: number): void => {
          if (i === made.length) {
            if (zeros >= target * total - 1e-9) best = Math.min(best, error);
            return;
          }
          choose(i + 1, zeros, error);
          for (const t of made[i]!.trials) choose(i + 1, zeros + t.sparsity * made[i]!.entries, error + t.error);
        };
        choose(0, 0, 0);
        if (best === Number.POSITIVE_INFINITY) {
          expect(() => allocate(trials, { of: "sparsity", target })).toThrow(/at most/);
          return;
        }
        const chosen = [...allocate(trials, { of: "sparsity", target }).values()].filter((t) => t !== null);
        const zeros = chosen.reduce((sum, t) => sum + t.sparsity * t.cols, 0);
        const error = chosen.reduce((sum, t) => sum + t.error, 0);
        const step = Math.max(...trials.map((t) => t.error));
        expect(zeros).toBeGreaterThanOrEqual(target * total - 1e-9);
        expect(error).toBeLessThanOrEqual(best + step + 1e-9);
      }),
      { numRuns: 300 },
    );
  });

  test("prunes first where it costs least, and leaves layers dense that it need not touch", () => {
    const trials = [trial("a", 0.5, 0.01), trial("a", 0.9, 0.5), trial("b", 0.5, 0.1), trial("b", 0.9, 0.2)];
    const patterns = (target: number) =>
      [...allocate(trials, { of: "sparsity", target })].map(([name, t]) => [name, t?.pattern ?? "dense"]);
    expect(patterns(0)).toEqual([
      ["a", "dense"],
      ["b", "dense"],
    ]);
    expect(patterns(0.25)).toEqual([
      ["a", "50%"],
      ["b", "dense"],
    ]);
    expect(patterns(0.6)).toEqual([
      ["a", "50%"],
      ["b", "90%"],
    ]);
    expect(patterns(0.9)).toEqual([
      ["a", "90%"],
      ["b", "90%"],
    ]);
    expect([...allocate(trials, { of: "bytes", target: 600 }).values()].map((t) => t?.sparsity ?? 0)).toEqual([0.5, 0]);
    const cost = (name: string, t: Trial | null) => (name === "a" ? 1 : 10) * (1 - (t?.sparsity ?? 0));
    expect([...allocate(trials, { of: "cost", target: 6, cost }).values()].map((t) => t?.sparsity ?? 0)).toEqual([
      0, 0.5,
    ]);
  });

  test("says what it lacks", () => {
    expect(() => allocate([], { of: "bytes", target: 1 })).toThrow(/no trials/);
    expect(() => allocate([trial("a", 0.5, 0.1)], { of: "multiplyAdds", target: 1 })).toThrow(/multiplyAdds/);
    expect(() => allocate([trial("a", 0.5, 0.1)], { of: "sparsity", target: 2 })).toThrow(/no budget/);
  });
});

test("a sweep tells the errors that pruning each weight alone has, and can go on where it stopped", async () => {
  const model = perceptron();
  const calibration = { samples: [{ x: noise([64, 16], 5) }], threads: 1 };
  const patterns = ["50%", "2:4"].map(parsePattern);
  const methods = [magnitudePruner, sparseGpt] as LayerPruner[];
  const trials: Trial[] = [];
  for await (const found of sensitivity(model, { patterns, methods, calibration })) trials.push(found);
  expect(trials.map((t) => `${t.weight} ${t.method} ${t.pattern}`)).toEqual(
    ["fc1.weight", "fc2.weight"].flatMap((w) =>
      methods.flatMap((m) => patterns.map((p) => `${w} ${m.name} ${p.text}`)),
    ),
  );
  for (const { weight, pattern, method, error, bytes } of trials) {
    const alone = await applyFakeSparsity(model, {
      ...{ pattern, method: sparseGpt as LayerPruner, layers: [weight] },
      calibration: { ...calibration, order: "dense" },
    });
    if (method === "sparsegpt") expect(error).toBeCloseTo(alone.weights[0]!.error!, 12);
    else expect(error).toBeGreaterThan(alone.weights[0]!.error!);
    expect(bytes).toBeLessThan(16 * 32 * 4);
  }
  const rest: Trial[] = [];
  const known = (w: { name: string }, p: { text: string }) => w.name === "fc1.weight" || p.text === "50%";
  for await (const found of sensitivity(model, { patterns, methods, calibration, known })) rest.push(found);
  expect(rest.map((t) => `${t.weight} ${t.pattern}`)).toEqual(["fc2.weight 2:4", "fc2.weight 2:4"]);
});

describe("OWL", () => {
  test("counts entries whose score is beyond M times the mean", () => {
    const inputs = new InputAccumulator(2, { gram: false });
    inputs.accumulate(noise([1, 2], 1));
    const statistics = { ...inputs.statistics(), sumOfSquares: Float64Array.of(1, 100) };
    const weight = { rows: 5, cols: 2, data: Float32Array.of(1, 0.1, 1, 0.1, 1, 0.1, 1, 0.1, 1, 3) };
    // Scores 1 but for the last, 30; their mean is 3.9.
    expect(outlierRatio({ weight, statistics })).toBe(0.1);
    expect(outlierRatio({ weight, statistics }, 8)).toBe(0);
  });

  test("gives layers with outliers more, and all of them the sparsity wanted", () => {
    const found = owlSparsities([0.01, 0.03, 0.02], 0.7);
    expect(found.map((s) => Number(s.toFixed(6)))).toEqual([0.78, 0.62, 0.7]);
    expect(owlSparsities([0.2, 0.2], 0.5)).toEqual([0.5, 0.5]);
    expect(() => owlSparsities([0, 1], 0.99)).toThrow(/sparsity of/);
  });
});
