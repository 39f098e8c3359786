import { describe, expect, test } from "vitest";
import { modelOf, noise, perceptron } from "../../test/support/small-models.js";
import { GraphBuilder, type Model } from "../graph/index.js";
import { maskOf, parsePattern, sparsityOf } from "../sparsity/index.js";
import {
  ConvInputAccumulator,
  InputAccumulator,
  type InputStatistics,
  LayerSparsifier,
  magnitudePruner,
  obc,
  relativeError,
  sparseGpt,
  WeightNormSparsifier,
  wanda,
  weightsOf,
} from "./index.js";
import { weightMatrix } from "./mask-weight.js";

const seen = (channels: number, seed: number): InputStatistics => {
  const accumulator = new InputAccumulator(channels, { gram: true });
  accumulator.accumulate(noise([40, channels], seed));
  return accumulator.statistics();
};

const matrixIn = (model: Model, name: string) => weightMatrix(weightsOf(model).find((w) => w.name === name)!);

function prepared(model: Model): LayerSparsifier<{ blockSize: number; damping: number }> {
  const sparsifier = new LayerSparsifier(sparseGpt, { pattern: "2:4" });
  sparsifier.prepare(model);
  sparsifier.calibrate("fc1.weight", seen(16, 3));
  sparsifier.calibrate("fc2.weight", seen(32, 4));
  return sparsifier;
}

describe("LayerSparsifier", () => {
  test("prepare, calibrate, step, squashMask: what the method gives for each weight [outputs, inputs]", () => {
    const model = perceptron();
    const sparsifier = prepared(model);
    sparsifier.step();
    const pruned = sparsifier.masked();
    expect(sparsifier.squashMask()).toEqual(pruned);
    expect(sparsifier.groups).toHaveLength(0);
    for (const [name, channels, seed] of [
      ["fc1.weight", 16, 3],
      ["fc2.weight", 32, 4],
    ] as const) {
      const original = matrixIn(model, name);
      const expected = sparseGpt.prune(original, seen(channels, seed), parsePattern("2:4"));
      expect(matrixIn(pruned, name)).toEqual(expected.weight);
      expect(sparsifier.reports.get(name)!.error).toBe(expected.error);
      expect(relativeError(original, expected.weight, seen(channels, seed))).toBe(expected.error);
      expect(sparsityOf(original)).toBe(0);
    }
  });

  test("each weight may have options of its own; a second step starts from the weights as they came", () => {
    const sparsifier = new LayerSparsifier(sparseGpt, { pattern: "2:4" });
    sparsifier.prepare(perceptron(), [{ tensorFqn: "fc1.weight", pattern: "75%", damping: 0.1 }]);
    sparsifier.calibrate("fc1.weight", seen(16, 3));
    sparsifier.step();
    const once = sparsifier.stateDict();
    sparsifier.step();
    expect(sparsifier.stateDict()).toEqual(once);
    const expected = sparseGpt.prune(matrixIn(perceptron(), "fc1.weight"), seen(16, 3), parsePattern("75%"), {
      damping: 0.1,
    });
    expect(once.groups[0]!.mended).toEqual(expected.weight);
    expect(() => sparsifier.prepare(perceptron(), [])).toThrow("another model is in care");
  });

  test("layer by layer: the second calibrates on what the first has become", () => {
    const model = perceptron();
    const sparsifier = prepared(model);
    sparsifier.stepWeight("fc1.weight");
    const half = sparsifier.masked();
    expect(sparsityOf(matrixIn(half, "fc1.weight"))).toBe(0.5);
    expect(sparsityOf(matrixIn(half, "fc2.weight"))).toBe(0);
    sparsifier.calibrate("fc2.weight", seen(32, 5));
    sparsifier.stepWeight("fc2.weight");
    const expected = sparseGpt.prune(matrixIn(model, "fc2.weight"), seen(32, 5), parsePattern("2:4"));
    expect(matrixIn(sparsifier.squashMask(), "fc2.weight")).toEqual(expected.weight);
    expect(() => sparsifier.stepWeight("fc2.weight")).toThrow("'fc2.weight' is not in care");
    expect(() => sparsifier.masked()).toThrow("prepare(model) comes before");
  });

  test("weights that a method keeps are kept bit for bit, in the file's dtype and order", () => {
    const b = new GraphBuilder("half");
    const x = b.input("x", "float64", ["n", 8]);
    const constant = noise([8, 4], 6).to("float64");
    (constant.data as Float64Array)[3] = 1 / 3;
    const y = b.add("MatMul", [x, b.constant(constant, "w")], {}, { name: "/MatMul" });
    y.type = { dtype: "float64", shape: ["n", 4] };
    b.output(y, "y");
    const sparsifier = new LayerSparsifier(wanda, { pattern: "2:4" });
    sparsifier.prepare(modelOf(b.build()));
    sparsifier.calibrate("w", seen(8, 1));
    sparsifier.step();
    const { constant: pruned } = weightsOf(sparsifier.squashMask())[0]!;
    expect(pruned.dtype).toBe("float64");
    const values = (pruned as typeof constant).data as Float64Array;
    expect(values.filter((value) => value === 0)).toHaveLength(16);
    expect(values.every((value, i) => value === 0 || value === (constant.data as Float64Array)[i])).toBe(true);
  });

  test("a grouped convolution: each group of outputs by the statistics of its own inputs", () => {
    const b = new GraphBuilder("grouped");
    const x = b.input("x", "float32", [1, 8, 9]);
    const w = noise([6, 4, 3], 7);
    const y = b.add("Conv", [x, b.constant(w, "w")], { group: 2 }, { name: "/Conv" });
    y.type = { dtype: "float32", shape: [1, 6, 7] };
    b.output(y, "y");
    const model = modelOf(b.build());
    const attributes = {
      kernelShape: null,
      strides: null,
      dilations: null,
      pads: null,
      autoPad: "NOTSET",
      ceilMode: false,
      group: 2,
    } as const;
    const accumulator = new ConvInputAccumulator(w.shape, attributes, { gram: true });
    accumulator.accumulate(noise([6, 8, 9], 8));
    const sparsifier = new LayerSparsifier(obc, { pattern: "2:4" });
    sparsifier.prepare(model, [{ tensorFqn: "w" }]);
    sparsifier.calibrate("w", accumulator.statistics());
    sparsifier.step();
    const pruned = matrixIn(sparsifier.squashMask(), "w");
    const original = matrixIn(model, "w");
    accumulator.statistics().forEach((statistics, group) => {
      const rows = { rows: 3, cols: 12, data: original.data.slice(group * 36, group * 36 + 36) };
      const { weight } = obc.prune(rows, statistics, parsePattern("2:4"));
      expect(pruned.data.slice(group * 36, group * 36 + 36)).toEqual(weight.data);
    });
  });

  test("errors name the weight, and leave everything as it was", () => {
    const sparsifier = new LayerSparsifier(sparseGpt, { pattern: "2:4" });
    expect(() => sparsifier.prepare(perceptron(), [{ tensorFqn: "fc1.weight", pattern: "5:4" }])).toThrow("n:m");
    sparsifier.prepare(perceptron());
    sparsifier.calibrate("fc1.weight", seen(16, 3));
    const before = sparsifier.stateDict();
    expect(() => sparsifier.step()).toThrow("needs statistics");
    sparsifier.calibrate("fc2.weight", seen(16, 3));
    expect(() => sparsifier.step()).toThrow("statistics of 16 channels for a weight of 32 inputs");
    sparsifier.calibrate(
      "fc2.weight",
      [1, 2, 3].map((seed) => seen(32, seed)),
    );
    expect(() => sparsifier.step()).toThrow("field 'fc2.weight': 3 groups of inputs for 8 outputs");
    expect(sparsifier.stateDict()).toEqual(before);
  });
});

describe("stateDict", () => {
  test("saved, cloned and restored, the same model comes out, and the same next step", () => {
    const model = perceptron();
    const first = prepared(model);
    first.step();
    const state = structuredClone(first.stateDict());
    const second = prepared(model);
    second.loadStateDict(model, state);
    second.loadStateDict(model, state); // twice is no harm
    expect(second.masked()).toEqual(first.masked());
    const fresh = new LayerSparsifier(sparseGpt, { pattern: "50%" });
    fresh.loadStateDict(model, state);
    expect(fresh.groups.map(({ options }) => options.pattern)).toEqual(["2:4", "2:4"]);
    expect(fresh.squashMask()).toEqual(first.masked());
    second.step();
    expect(second.squashMask()).toEqual(first.squashMask());
  });

  test("norm sparsifiers have it too: zeros stay zero after a restart", () => {
    const model = perceptron();
    const make = () => new WeightNormSparsifier({ sparsityLevel: 1, zerosPerBlock: 1 });
    const first = make();
    first.prepare(model);
    first.step();
    const second = make();
    second.loadStateDict(model, first.stateDict());
    first.step();
    second.step();
    expect(second.masks).toEqual(first.masks);
    expect(second.squashMask()).toEqual(first.squashMask());
  });

  test("a state that does not fit changes nothing", () => {
    const model = perceptron();
    const sparsifier = new LayerSparsifier(magnitudePruner, { pattern: "2:4" });
    sparsifier.prepare(model);
    sparsifier.step();
    const state = sparsifier.stateDict();
    const fresh = new LayerSparsifier(magnitudePruner, { pattern: "2:4" });
    const [a, b] = state.groups;
    expect(() => fresh.loadStateDict(model, { groups: [a!, { ...b!, mask: a!.mask }] })).toThrow("does not fit");
    expect(() => fresh.loadStateDict(model, { groups: [{ ...a!, tensorFqn: "gone" }] })).toThrow("no weight 'gone'");
    expect(fresh.groups).toHaveLength(0);
    expect(maskOf(matrixIn(sparsifier.squashMask(), "fc1.weight"))).toEqual(a!.mask);
  });
});
