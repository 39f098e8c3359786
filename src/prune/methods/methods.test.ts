import { describe, expect, test } from "vitest";
import { randomSource } from "../../../test/support/random.js";
import {
  applyMask,
  countNonzeros,
  keptBlocks,
  type Mask,
  type Matrix,
  maskOf,
  parsePattern,
} from "../../sparsity/index.js";
import { Tensor } from "../../tensor/index.js";
import { relativeError } from "../layer-pruner.js";
import { meanCorrection } from "../mean-correction.js";
import { centered, InputAccumulator, type InputStatistics } from "../statistics/index.js";
import {
  admm,
  alps,
  dsnot,
  LAYER_PRUNERS,
  leastSquares,
  magnitudePruner,
  obc,
  optimalBrainDamage,
  ria,
  sparseGpt,
  wanda,
} from "./index.js";

const PATTERNS = [
  "50%",
  "60%/row",
  "2:4",
  "1:3",
  "4:2:4",
  "3:1:2",
  "block:4x4@50%",
  "block:3x2@40%",
  "block:4x8@50%+2:4",
  "block:2x2:2:4",
  "rows@25%",
  "cols@30%",
  "shuffled-block:4x4@50%",
  "dense",
];

const gaussian = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** A weight and inputs that are correlated, of unequal norms, and not centred; the last rows of `x` are a second sample. */
function layer(rows: number, cols: number, seed: number, tokens = 4 * cols) {
  const random = randomSource(seed);
  const data = Float32Array.from({ length: rows * cols }, () => gaussian(random));
  const mix = Float64Array.from({ length: cols * cols }, () => gaussian(random) / Math.sqrt(cols));
  const norms = Float64Array.from({ length: cols }, () => Math.exp(gaussian(random) / 2));
  const x = Array.from({ length: tokens }, () => {
    const z = Array.from({ length: cols }, () => gaussian(random));
    return Float64Array.from(norms, (norm, i) => {
      let sum = z[i]! / 2 + 0.3;
      for (let j = 0; j < cols; j++) sum += mix[i * cols + j]! * z[j]!;
      return Math.fround(norm * sum);
    });
  });
  const weight: Matrix = { rows, cols, data };
  return { weight, x, statistics: statisticsOf(x, cols) };
}

function statisticsOf(x: readonly Float64Array[], cols: number): InputStatistics {
  const accumulator = new InputAccumulator(cols, { gram: true });
  accumulator.accumulate(
    Tensor.from(
      "float32",
      [x.length, cols],
      x.flatMap((row) => [...row]),
    ),
  );
  return accumulator.statistics();
}

const { weight, x, statistics } = layer(21, 34, 1);

describe.each([...LAYER_PRUNERS.values()])("$name", (method) => {
  test.each(PATTERNS)("%s: the mask fits, the rest is zero, the error is that of the outputs", (text) => {
    const pattern = parsePattern(text);
    let result: ReturnType<typeof method.prune>;
    try {
      result = method.prune(weight, statistics, pattern);
    } catch (error) {
      expect((error as { code: string }).code).toBe("unsupported");
      expect([...(UNSUPPORTED[method.name] ?? [])]).toContain(pattern.kind);
      return;
    }
    expect(UNSUPPORTED[method.name] ?? []).not.toContain(pattern.kind);
    expect(pattern.violation(result.mask)).toBeNull();
    // As many as the rule allows, counted in blocks where these may be cut off by the edge.
    const [height, width] = /(\d+)x(\d+)/.exec(text)?.slice(1).map(Number) ?? [1, 1];
    const blocks = (mask: Mask): number =>
      countNonzeros(pattern.kind === "shuffled-block" ? mask : keptBlocks(mask, height!, width!));
    const most = blocks(pattern.select(weight));
    if (pattern.kind === "shuffled-block") expect(Math.abs(blocks(result.mask) - most)).toBeLessThan(100);
    else expect(blocks(result.mask)).toBe(most);
    expect(applyMask(result.weight, result.mask)).toEqual(result.weight);
    let [lost, all] = [0, 0];
    for (const row of x) {
      for (let o = 0; o < weight.rows; o++) {
        let [before, after] = [0, 0];
        for (let i = 0; i < weight.cols; i++) {
          before += weight.data[o * weight.cols + i]! * row[i]!;
          after += result.weight.data[o * weight.cols + i]! * row[i]!;
        }
        lost += (before - after) ** 2;
        all += before ** 2;
      }
    }
    expect(result.error).toBeCloseTo(lost / all, 10);
    if (method.name === "dsnot" || method.needs !== "gram")
      expect(result.weight).toEqual(applyMask(weight, result.mask));
    expect(method.prune(weight, statistics, pattern)).toEqual(result);
  });

  test("nothing to prune: nothing happens", () => {
    const { weight: kept, error } = method.prune(weight, statistics, parsePattern("dense"));
    expect(error).toBeLessThan(1e-9);
    kept.data.forEach((value, i) => expect(value).toBeCloseTo(weight.data[i]!, 4));
  });

  test("dead inputs, fewer rows than inputs: a result and a word about it", () => {
    const few = x.slice(0, 10).map((row) => row.map((value, i) => (i === 3 ? 0 : value)));
    const { weight: kept, mask, notes } = method.prune(weight, statisticsOf(few, weight.cols), parsePattern("2:4"));
    expect(parsePattern("2:4").violation(mask)).toBeNull();
    expect(kept.data.every(Number.isFinite)).toBe(true);
    if (method.needs === "gram") {
      expect(notes.join()).toContain("1 of 34 inputs were always 0");
      expect(notes.join()).toContain("10 rows for 34 inputs");
      expect(kept.data.filter((_, i) => i % weight.cols === 3).every((value) => value === 0)).toBe(true);
    }
  });

  test("what it cannot use is a typed error", () => {
    const pattern = parsePattern("2:4");
    const spoiled = { ...statistics, gram: statistics.gram!.map((value, i) => (i === 40 ? Number.NaN : value)) };
    expect(() => method.prune(weight, spoiled, pattern)).toThrow("input channel 6 is NaN");
    const nan = { ...weight, data: weight.data.map((value, i) => (i === 35 ? Number.NaN : value)) };
    expect(() => method.prune(nan, statistics, pattern)).toThrow("the weight at row 1, column 1 is NaN");
    expect(() => method.prune(weight, { ...statistics, count: 0 }, pattern)).toThrow("saw no inputs");
    expect(() => method.prune({ rows: 1, cols: 2, data: Float32Array.of(1, 2) }, statistics, pattern)).toThrow(
      "34 channels for a weight of 2 inputs",
    );
    if (method.needs === "nothing") return;
    expect(() => method.prune(weight, null, pattern)).toThrow("needs statistics");
    const norms = { ...statistics, gram: null };
    if (method.needs === "gram") expect(() => method.prune(weight, norms, pattern)).toThrow("needs the Gram matrix");
    else expect(method.prune(weight, norms, pattern).error).toBeNull();
  });

  test("no outputs", () => {
    const empty: Matrix = { rows: 0, cols: 34, data: new Float32Array(0) };
    for (const text of ["2:4", "50%", "cols@50%"]) {
      if (UNSUPPORTED[method.name]?.includes(parsePattern(text).kind)) continue;
      expect(method.prune(empty, statistics, parsePattern(text))).toMatchObject({ weight: empty, error: 0 });
    }
  });
});

const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  obc: ["block+n:m", "shuffled-block"],
  dsnot: ["v:n:m", "block", "block-n:m", "rows", "cols", "shuffled-block"],
};

describe.each(["2:4", "50%", "50%/row", "4:2:4", "block:4x4@50%"])("correlated inputs, %s", (text) => {
  const pattern = parsePattern(text);
  const prune = layer(48, 64, 2);
  const error = (method: typeof wanda | typeof obc): number =>
    (method as typeof wanda).prune(prune.weight, prune.statistics, pattern).error!;

  test("the more a method knows, the less is lost", () => {
    const [byMagnitude, byWanda] = [error(magnitudePruner as never), error(wanda)];
    const [bySparseGpt, byObc, byAdmm, byAlps] = [
      error(sparseGpt as never),
      error(obc),
      error(admm as never),
      error(alps as never),
    ];
    expect(byWanda).toBeLessThan(byMagnitude);
    expect(bySparseGpt).toBeLessThan(byWanda);
    expect(byAdmm).toBeLessThan(byWanda);
    expect(byObc).toBeLessThan(bySparseGpt);
    expect(byAlps).toBeLessThan(bySparseGpt);
  });

  test("OBC's and ALPS's weights are the best under their masks; none beats least squares", () => {
    for (const method of [obc, alps, sparseGpt, admm]) {
      const options = method.name === "alps" ? { refinements: 200 } : {};
      const result = method.prune(prune.weight, prune.statistics, pattern, options as never);
      const damping = method.defaults.damping;
      const best = leastSquares(prune.weight, result.mask, prune.statistics, { damping });
      if (method.name === "obc" || method.name === "alps")
        // Each in float32: 2⁻²⁴ of weights up to 8.
        best.weight.data.forEach((value, i) => expect(Math.abs(value - result.weight.data[i]!)).toBeLessThan(1e-6));
      const exact = leastSquares(prune.weight, result.mask, prune.statistics, { damping: 1e-9 });
      expect(exact.error!).toBeLessThanOrEqual(result.error! * (1 + 1e-5));
    }
  });

  test("with any mask, mended weights lose less than Wanda's untouched ones", () => {
    const { mask, error: untouched } = wanda.prune(prune.weight, prune.statistics, pattern);
    const best = leastSquares(prune.weight, mask, prune.statistics, { damping: 1e-9 });
    const mended = admm.prune(prune.weight, prune.statistics, pattern, { mask, damping: 1e-3 });
    expect(mended.mask).toEqual(mask);
    expect(best.error!).toBeLessThan(untouched!);
    expect(mended.error!).toBeLessThan(untouched!);
    expect(mended.error!).toBeGreaterThanOrEqual(best.error! * (1 - 1e-5));
  });
});

describe("OBC", () => {
  test("one weight: the one whose best replacement costs least, of all that could go", () => {
    const small = layer(1, 8, 3);
    const result = obc.prune(small.weight, small.statistics, parsePattern("12.5%"), { damping: 1e-9 });
    const errors = Array.from({ length: 8 }, (_, gone) => {
      const mask = { rows: 1, cols: 8, data: Uint8Array.from({ length: 8 }, (_, i) => (i === gone ? 0 : 1)) };
      return leastSquares(small.weight, mask, small.statistics, { damping: 1e-9 }).error!;
    });
    expect(result.error!).toBeCloseTo(Math.min(...errors), 9);
  });

  test("a block goes at once: the one whose best replacement costs least", () => {
    const small = layer(4, 9, 4);
    const result = obc.prune(small.weight, small.statistics, parsePattern("block:2x3@20%"), { damping: 1e-9 });
    const errors = Array.from({ length: 6 }, (_, gone) => {
      const data = new Uint8Array(36).fill(1);
      for (let i = 0; i < 36; i++)
        if (Math.floor(i / 18) === Math.floor(gone / 3) && Math.floor((i % 9) / 3) === gone % 3) data[i] = 0;
      return leastSquares(small.weight, { rows: 4, cols: 9, data }, small.statistics, { damping: 1e-9 }).error!;
    });
    expect(result.error!).toBeCloseTo(Math.min(...errors), 9);
  });

  test("uncorrelated inputs: Optimal Brain Damage", () => {
    const diagonal = statistics.gram!.map((value, i) => (i % 35 === 0 ? value : 0));
    const alone = { ...statistics, gram: diagonal };
    for (const text of ["50%", "2:4", "4:2:4", "cols@30%"]) {
      const pattern = parsePattern(text);
      const { weight: kept, mask } = obc.prune(weight, alone, pattern, { damping: 0 });
      const expected = optimalBrainDamage.prune(weight, alone, pattern);
      expect(mask).toEqual(expected.mask);
      kept.data.forEach((value, i) => expect(value).toBeCloseTo(expected.weight.data[i]!, 5));
    }
  });
});

test("SparseGPT: n:m does not depend on the block size; a singular Hessian without damping is damped", () => {
  const pattern = parsePattern("2:4");
  const [a, b] = [4, 128].map((blockSize) => sparseGpt.prune(weight, statistics, pattern, { blockSize }));
  expect(a!.mask).toEqual(b!.mask);
  a!.weight.data.forEach((value, i) => expect(value).toBeCloseTo(b!.weight.data[i]!, 5));
  const few = statisticsOf(x.slice(0, 10), weight.cols);
  for (const method of [sparseGpt, obc, alps]) {
    const { notes, error } = method.prune(weight, few, pattern, { damping: 0 } as never);
    expect(notes.join()).toContain("the Hessian is singular: damping");
    expect(error).toBeLessThan(0.5);
  }
});

test("inputs that are nearly the same, without damping: still numbers, and hardly an error where one can stand in for the other", () => {
  const twins = layer(6, 12, 8).x.map((row, t) =>
    row.map((value, i) => (i % 2 === 0 ? value : row[i - 1]! * (1 + 1e-7 * Math.sin(t + i)))),
  );
  const small: Matrix = { rows: 6, cols: 12, data: weight.data.slice(0, 72) };
  for (const text of ["1:2", "50%", "50%/row", "2:1:2", "block:2x1@50%"]) {
    for (const method of [sparseGpt, obc, alps, admm]) {
      const damping = method === admm ? 1e-3 : 0;
      const result = method.prune(small, statisticsOf(twins, 12), parsePattern(text), { damping } as never);
      expect(result.weight.data.every(Number.isFinite)).toBe(true);
      if (text === "1:2") expect(result.error, method.name).toBeLessThan(method === admm ? 1e-3 : 1e-6);
    }
  }
});

test("statistics that are no XᵀX are an error, not an endless loop", () => {
  const gram = statistics.gram!.map((value, i) => (i % 35 === 0 ? value : 1e9));
  for (const method of [sparseGpt, obc, alps])
    expect(() => method.prune(weight, { ...statistics, gram }, parsePattern("2:4"))).toThrow("negative eigenvalues");
});

test("torchao's Wanda: its tests' own numbers", () => {
  const ones = statisticsOf([new Float64Array(8).fill(1)], 8);
  const counting: Matrix = { rows: 1, cols: 8, data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
  const nm = wanda.prune(counting, ones, parsePattern("2:4"), { variant: "torchao" });
  expect([...nm.weight.data]).toEqual([0, 0, 3, 4, 0, 0, 7, 8]);
  const inputs = statisticsOf([Float64Array.of(100, 10, 1, 0.1)], 4);
  const four: Matrix = { rows: 1, cols: 4, data: Float32Array.of(1, 2, 3, 4) };
  const half = wanda.prune(four, inputs, parsePattern("50%"), { variant: "torchao" });
  expect([...half.weight.data]).toEqual([1, 2, 0, 0]);
});

test("Wanda: rows share the whole matrix's percentage evenly; torchao's compares them all", () => {
  const strong: Matrix = {
    rows: 3,
    cols: 5,
    data: Float32Array.from({ length: 15 }, (_, i) => (i < 5 ? 100 + i : 1 + i / 100)),
  };
  const ones = statisticsOf([new Float64Array(5).fill(1)], 5);
  const perRow = ({ data }: { data: Uint8Array }) =>
    [0, 1, 2].map((row) => data.slice(row * 5, row * 5 + 5).reduce((a, b) => a + b));
  expect(perRow(wanda.prune(strong, ones, parsePattern("50%")).mask)).toEqual([3, 2, 3]);
  expect(perRow(wanda.prune(strong, ones, parsePattern("50%"), { variant: "torchao" }).mask)).toEqual([5, 0, 3]);
  expect(() => wanda.prune(strong, ones, parsePattern("50%"), { variant: "x" as never })).toThrow("'x' is neither");
});

test("RIA without activations is relative importance: a small weight in a small row and column stays", () => {
  const unequal: Matrix = { rows: 2, cols: 2, data: Float32Array.of(100, 10, 10, 5) };
  const seen = statisticsOf([Float64Array.of(1, 50)], 2);
  // 100/110 + 100/110, 10/15 + 10/110, 10/110 + 10/15, 5/15 + 5/15.
  expect([...ria.prune(unequal, seen, parsePattern("25%"), { a: 0 }).weight.data]).toEqual(
    [100, 0, 10, 5].map((w, i) => (i === 3 ? 0 : i === 1 ? 10 : w)),
  );
  expect([...ria.prune(unequal, seen, parsePattern("25%"), { a: 2 }).weight.data]).toEqual([100, 10, 0, 5]);
});

describe("DSnoT", () => {
  const far = layer(16, 48, 5);
  /** Σ over outputs of (E[(W − Ŵ)·x])². */
  const meanError = (pruned: Matrix): number =>
    meanCorrection(far.weight, pruned, far.statistics).reduce((sum, e) => sum + e * e, 0);

  test.each(["50%", "50%/row", "2:4", "block:4x8@50%+2:4"])(
    "%s: any mask's mean error shrinks, and it stays in its pattern",
    (text) => {
      const pattern = parsePattern(text);
      for (const start of [wanda, magnitudePruner]) {
        const before = start.prune(far.weight, far.statistics, pattern);
        const after = dsnot.prune(far.weight, far.statistics, pattern, { mask: before.mask });
        expect(pattern.violation(after.mask)).toBeNull();
        expect(countNonzeros(after.mask)).toBe(countNonzeros(before.mask));
        expect(meanError(after.weight)).toBeLessThan(0.8 * meanError(before.weight));
      }
      const wandas = wanda.prune(far.weight, far.statistics, pattern);
      expect(dsnot.prune(far.weight, far.statistics, pattern, { mask: wandas.mask }).mask).toEqual(
        dsnot.prune(far.weight, far.statistics, pattern).mask,
      );
      expect(dsnot.prune(far.weight, far.statistics, pattern, { cycles: 0 }).mask).toEqual(wandas.mask);
    },
  );

  test("by hand: the largest of the error's sign comes back, the least of the other sign goes, and not so far as to overshoot", () => {
    const row: Matrix = { rows: 1, cols: 6, data: Float32Array.of(3, 2, 1, 5, -4, -6) };
    const mean = new Float64Array(6).fill(1);
    const seen = { channels: 6, count: 1, mean, sumOfSquares: new Float64Array(6).fill(2), gram: null };
    const mask = { rows: 1, cols: 6, data: Uint8Array.of(0, 0, 0, 1, 1, 1) };
    // e = 6: 3 comes back and -4 goes (-1, overshoots): nothing. With 9 more missing, e = 15: 3 for -4 leaves 8, then 2 for -6 leaves 0.
    expect(dsnot.prune(row, seen, parsePattern("50%"), { mask }).mask).toEqual(mask);
    const large: Matrix = { rows: 1, cols: 6, data: Float32Array.of(3, 2, 10, 5, -4, -6) };
    expect([...dsnot.prune(large, seen, parsePattern("50%"), { mask }).mask.data]).toEqual([0, 0, 1, 1, 0, 1]);
  });

  test("a mask that is not of the pattern is an error", () => {
    const mask = maskOf(far.weight);
    expect(() => dsnot.prune(far.weight, far.statistics, parsePattern("2:4"), { mask })).toThrow("the mask is not 2:4");
    const small = { rows: 1, cols: 1, data: Uint8Array.of(1) };
    expect(() => admm.prune(far.weight, far.statistics, parsePattern("2:4"), { mask: small })).toThrow("a 1×1 mask");
  });
});

test("meanCorrection: the mean output is kept; with centered statistics, the error is that of weight and bias together", () => {
  const pattern = parsePattern("50%/row");
  const { mask } = wanda.prune(weight, statistics, pattern);
  const plain = leastSquares(weight, mask, statistics, { damping: 1e-9 });
  const together = leastSquares(weight, mask, centered(statistics), { damping: 1e-9 });
  const withBias = ({ weight: kept }: typeof plain): number => {
    const bias = meanCorrection(weight, kept, statistics);
    let [lost, all] = [0, 0];
    for (let o = 0; o < weight.rows; o++) {
      let drift = 0;
      for (const row of x) {
        let [before, after] = [0, bias[o]!];
        for (let i = 0; i < weight.cols; i++) {
          before += weight.data[o * weight.cols + i]! * row[i]!;
          after += kept.data[o * weight.cols + i]! * row[i]!;
        }
        drift += before - after;
        lost += (before - after) ** 2;
        all += before ** 2;
      }
      expect(Math.abs(drift / x.length)).toBeLessThan(1e-10);
    }
    return lost / all;
  };
  expect(withBias(plain)).toBeLessThan(plain.error!);
  expect(withBias(together)).toBeLessThan(withBias(plain));
  expect(relativeError(weight, together.weight, centered(statistics))).toBeCloseTo(together.error!, 12);
  const narrow: Matrix = { rows: 1, cols: 1, data: Float32Array.of(1) };
  expect(() => meanCorrection(weight, narrow, statistics)).toThrow("21×34 and 1×1");
});

test("options that make no sense are typed errors", () => {
  const pattern = parsePattern("2:4");
  const bad = (run: () => unknown, field: string) => expect(run).toThrow(`field '${field}'`);
  bad(() => sparseGpt.prune(weight, statistics, pattern, { blockSize: 0 }), "blockSize");
  bad(() => sparseGpt.prune(weight, statistics, pattern, { damping: Number.NaN }), "damping");
  bad(() => obc.prune(weight, statistics, pattern, { damping: -1 }), "damping");
  bad(() => admm.prune(weight, statistics, pattern, { rho: 0 }), "rho");
  bad(() => alps.prune(weight, statistics, pattern, { iterations: 0 }), "iterations");
  bad(() => ria.prune(weight, statistics, pattern, { a: -1 }), "a");
  bad(() => dsnot.prune(weight, statistics, pattern, { cycles: -1 }), "cycles");
  bad(() => leastSquares(weight, maskOf(weight), statistics, { damping: -1 }), "damping");
});
