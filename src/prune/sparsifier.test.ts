import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { modelOf, noise, perceptron } from "../../test/support/small-models.js";
import { GraphBuilder } from "../graph/index.js";
import { sparsityOf } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import {
  CubicSL,
  LambdaSL,
  NearlyDiagonalSparsifier,
  nearlyDiagonalMask,
  WeightNormSparsifier,
  weightNormMask,
  weightsOf,
} from "./index.js";

const GOLDEN = fileURLToPath(new URL("../../../shared/data/golden-pytorch/golden-pytorch.json", import.meta.url));

interface Golden {
  nearly_diagonal: { rows: number; cols: number; nearliness: number; mask?: number[][]; error?: string }[];
  cubic_sl: {
    base: number[];
    init_sl: number;
    init_t: number;
    delta_t: number;
    total_t: number;
    initially_zero: boolean;
    levels: number[][];
  }[];
}

describe.skipIf(!existsSync(GOLDEN))("torch.ao.pruning's own results (needs ../shared/data/golden-pytorch)", () => {
  const golden: Golden = existsSync(GOLDEN)
    ? JSON.parse(readFileSync(GOLDEN, "utf8"))
    : { nearly_diagonal: [], cubic_sl: [] };
  test.each(golden.nearly_diagonal)(
    "nearly diagonal $rows×$cols, $nearliness",
    ({ rows, cols, nearliness, mask, error }) => {
      if (error !== undefined)
        expect(() => nearlyDiagonalMask(rows, cols, nearliness)).toThrow(error.replace("ValueError: ", ""));
      else expect([...nearlyDiagonalMask(rows, cols, nearliness).data]).toEqual(mask!.flat());
    },
  );
  test.each(golden.cubic_sl)("CubicSL $base $init_sl $init_t $delta_t $total_t", (schedule) => {
    const sparsifier = {
      enableMaskUpdate: true,
      groups: schedule.base.map((sparsityLevel) => ({ options: { sparsityLevel } })),
    };
    const scheduler = new CubicSL(sparsifier, {
      initSl: schedule.init_sl,
      initT: schedule.init_t,
      deltaT: schedule.delta_t,
      totalT: schedule.total_t,
      initiallyZero: schedule.initially_zero,
    });
    for (const levels of schedule.levels) {
      scheduler.lastSl.forEach((level, i) => {
        expect(level).toBeCloseTo(levels[i]!, 12);
      });
      scheduler.step();
    }
  });
});

test("nearliness: even numbers and bands wider than the matrix are errors, in upstream's words and order", () => {
  expect(() => nearlyDiagonalMask(4, 4, 8)).toThrow("nearliness can only be an odd number");
  expect(() => nearlyDiagonalMask(4, 6, 9)).toThrow("nearliness cannot be larger than the dimensions of tensor.");
  expect([...nearlyDiagonalMask(2, 3, -1).data]).toEqual([0, 0, 0, 0, 0, 0]);
  expect([...nearlyDiagonalMask(2, 3, 3).data]).toEqual([1, 1, 0, 1, 1, 1]);
});

describe.each([
  ["WeightNormSparsifier", () => new WeightNormSparsifier({ sparsityLevel: 1, zerosPerBlock: 2 }), 0.5],
  ["NearlyDiagonalSparsifier", () => new NearlyDiagonalSparsifier({ nearliness: 1 }), 1 - 1 / 32],
] as const)("%s", (_, make, share) => {
  test("prepare, step, squashMask", () => {
    const sparsifier = make();
    const model = perceptron();
    sparsifier.prepare(model);
    expect(sparsifier.groups.map(({ weight }) => weight.name)).toEqual(["fc1.weight", "fc2.weight"]);
    expect([...sparsifier.masks.values()].map(sparsityOf)).toEqual([0, 0]); // all ones until the first step
    sparsifier.enableMaskUpdate = false;
    sparsifier.step();
    expect([...sparsifier.masks.values()].map(sparsityOf)).toEqual([0, 0]);
    sparsifier.enableMaskUpdate = true;
    sparsifier.step();
    expect(sparsityOf(sparsifier.masks.get("fc1.weight")!)).toBeCloseTo(share, 12);
    const squashed = sparsifier.squashMask();
    expect(weightsOf(squashed).every(({ constant }) => constant instanceof Tensor)).toBe(true);
    const zeros = [...(weightsOf(squashed)[0]!.constant as Tensor).numbers()].filter((w) => w === 0).length;
    expect(zeros / 512).toBeCloseTo(share, 12);
    expect([...(weightsOf(model)[0]!.constant as Tensor).numbers()]).not.toContain(0);
    expect(sparsifier.groups).toEqual([]);
    expect(() => sparsifier.squashMask()).toThrow(/comes before/);
    sparsifier.prepare(perceptron(3)); // and it may take another
  });
  test("more weights of the same model, each once; no other model meanwhile", () => {
    const sparsifier = make();
    const model = perceptron();
    sparsifier.prepare(model, [{ tensorFqn: "fc2.weight" }]);
    sparsifier.prepare(model, [{ tensorFqn: "fc1.weight" }]);
    expect([...sparsifier.masks.keys()]).toEqual(["fc2.weight", "fc1.weight"]);
    expect(() => sparsifier.prepare(model, [{ tensorFqn: "fc1.weight" }])).toThrow(/in care already/);
    expect(() => sparsifier.prepare(perceptron())).toThrow(/another model/);
    expect(() => make().prepare(model, [{ tensorFqn: "fc9" }])).toThrow(/no weight 'fc9'/);
  });
});

test("a weight given as a Constant node is taken into care", () => {
  const b = new GraphBuilder();
  const c = b.add("Constant", [], { value: noise([8, 3], 1) }, { name: "c" });
  b.output(b.add("MatMul", [b.input("x", "float32", [1, 8]), c]), "y");
  const sparsifier = new WeightNormSparsifier();
  sparsifier.prepare(modelOf(b.build()));
  expect([...sparsifier.masks.keys()]).toEqual(["c"]);
});

test("what is zero scores zero, unless it may regrow", () => {
  const masks = [false, true].map((regrow) => {
    const sparsifier = new WeightNormSparsifier({ sparsityLevel: 0.5, sparseBlockShape: [1, 1], regrow });
    sparsifier.prepare(perceptron(), [{ tensorFqn: "fc1.weight" }]);
    const [group] = sparsifier.groups;
    sparsifier.step();
    const first = group!.mask;
    group!.options = { ...group!.options, sparsityLevel: 0.25 };
    sparsifier.step();
    return { first, second: group!.mask, fresh: weightNormMask(group!.original, group!.options) };
  });
  const [sticky, regrown] = masks;
  expect(regrown!.second).toEqual(regrown!.fresh);
  expect(sticky!.second).not.toEqual(sticky!.fresh);
  // A lower level takes its zeros from those that are there.
  expect(sticky!.second.data.every((bit, i) => bit === 1 || sticky!.first.data[i] === 0)).toBe(true);
});

test("a step that cannot be taken names the weight and leaves all masks", () => {
  const sparsifier = new NearlyDiagonalSparsifier({ nearliness: 17 });
  sparsifier.prepare(perceptron()); // [32, 16] can, [8, 32] cannot
  expect(() => sparsifier.step()).toThrow(/field 'nearliness'/);
  expect([...sparsifier.masks.values()].map(sparsityOf)).toEqual([0, 0]);
});

describe("schedules", () => {
  const prepared = (): WeightNormSparsifier => {
    const sparsifier = new WeightNormSparsifier({ sparsityLevel: 0.5 });
    sparsifier.prepare(perceptron(), [{ tensorFqn: "fc1.weight" }, { tensorFqn: "fc2.weight", sparsityLevel: 0.25 }]);
    return sparsifier;
  };
  test("LambdaSL multiplies each group's own level", () => {
    const scheduler = new LambdaSL(prepared(), (epoch) => 10 * epoch);
    expect(scheduler.lastSl).toEqual([0, 0]);
    scheduler.step();
    expect(scheduler.lastSl).toEqual([5, 2.5]);
    const each = new LambdaSL(prepared(), [() => 1, (epoch) => epoch]);
    expect(each.lastSl).toEqual([0.5, 0]);
    expect(() => new LambdaSL(prepared(), [() => 1])).toThrow(/expected 2/);
  });
  test("CubicSL reaches the level, and the sparsifier follows", () => {
    const sparsifier = prepared();
    const scheduler = new CubicSL(sparsifier, { deltaT: 1, totalT: [2, 4], initiallyZero: true, initT: 1 });
    const sparsities: number[][] = [];
    for (let epoch = 0; epoch < 7; epoch++) {
      sparsifier.step();
      sparsities.push([...sparsifier.masks.values()].map(sparsityOf));
      scheduler.step();
    }
    expect(sparsities[0]).toEqual([0, 0]);
    expect(sparsities.at(-1)).toEqual([0.5, 0.25]);
    for (let i = 1; i < sparsities.length; i++)
      for (const group of [0, 1]) expect(sparsities[i]![group]).toBeGreaterThanOrEqual(sparsities[i - 1]![group]!);
  });
});
