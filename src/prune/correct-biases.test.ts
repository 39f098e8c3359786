import { describe, expect, test } from "vitest";
import { modelOf, noise, perceptron } from "../../test/support/small-models.js";
import { GraphBuilder, type Model, type Value } from "../graph/index.js";
import { evaluateGraph, operators } from "../ops/index.js";
import { Tensor } from "../tensor/index.js";
import { applySparse, ConvInputAccumulator, correctBiases, InputAccumulator, type InputStatistics } from "./index.js";

/** Inputs whose mean is far from 0. */
const inputs = (shape: number[]): Tensor =>
  Tensor.from(
    "float32",
    shape,
    [...noise(shape, 9).numbers()].map((x, i) => Number(x) + 0.5 + (i % 3)),
  );

const seen = (tensor: Tensor): InputStatistics => {
  const accumulator = new InputAccumulator(tensor.shape.at(-1)!, { gram: false });
  accumulator.accumulate(tensor);
  return accumulator.statistics();
};

const build = (make: (b: GraphBuilder, x: Value) => Value, shape: number[]): Model => {
  const b = new GraphBuilder("layer");
  b.output(make(b, b.input("x", "float32", shape)), "y");
  return modelOf(b.build());
};

/** The mean of each output channel, the axis that a bias runs along. */
function means(model: Model, x: Tensor, axis: number): number[] {
  const y = evaluateGraph(model.graph, [x], operators)[0]!;
  const channels = y.shape[axis]!;
  const inner = y.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const sums = new Array<number>(channels).fill(0);
  y.numbers().forEach((value, i) => {
    sums[Math.floor(i / inner) % channels]! += (Number(value) * channels) / y.size;
  });
  return sums;
}

async function check(model: Model, x: Tensor, statistics: InputStatistics | InputStatistics[], axis: number) {
  const { model: pruned } = await applySparse(model, { pattern: "1:4", layers: ["w"] });
  const { model: mended, corrected, skipped } = correctBiases(model, pruned, new Map([["w", statistics]]));
  expect([corrected, skipped]).toEqual([["w"], []]);
  const before = means(model, x, axis);
  // Sums of up to 36 products of about 1 in float32, rounded once.
  means(mended, x, axis).forEach((mean, i) => expect(Math.abs(mean - before[i]!)).toBeLessThan(36 * 4 * 2 ** -24));
  expect(Math.max(...means(pruned, x, axis).map((mean, i) => Math.abs(mean - before[i]!)))).toBeGreaterThan(0.1);
}

describe("correctBiases keeps the mean of the outputs", () => {
  const x = inputs([20, 8]);
  const w = noise([8, 6], 1);

  test.each([[6], [1, 6]])("MatMul and Add (a bias of shape %j, %j)", async (...shape) => {
    const dims = shape.filter((dim) => dim !== undefined);
    const bias = noise(dims, 2);
    const left = build(
      (b, i) => b.add("Add", [b.add("MatMul", [i, b.constant(w, "w")]), b.constant(bias, "b")]),
      [20, 8],
    );
    const right = build(
      (b, i) => b.add("Add", [b.constant(bias, "b"), b.add("MatMul", [i, b.constant(w, "w")])]),
      [20, 8],
    );
    for (const model of [left, right]) await check(model, x, seen(x), 1);
  });

  test("Gemm, with alpha, beta and transB", async () => {
    const attributes = { alpha: { kind: "float", value: 2 }, beta: { kind: "float", value: 0.5 } } as const;
    const bias = noise([6], 2);
    await check(
      build((b, i) => b.add("Gemm", [i, b.constant(w, "w"), b.constant(bias, "b")], attributes), [20, 8]),
      x,
      seen(x),
      1,
    );
    const turned = noise([6, 8], 3);
    await check(
      build((b, i) => b.add("Gemm", [i, b.constant(turned, "w"), b.constant(bias, "b")], { transB: 1 }), [20, 8]),
      x,
      seen(x),
      1,
    );
  });

  test("a grouped convolution", async () => {
    const image = inputs([2, 8, 7, 7]);
    const kernel = noise([6, 4, 3, 3], 4);
    const model = build(
      (b, i) =>
        b.add("Conv", [i, b.constant(kernel, "w"), b.constant(noise([6], 5), "b")], { group: 2, pads: [1, 1, 1, 1] }),
      [2, 8, 7, 7],
    );
    const attributes = {
      kernelShape: null,
      strides: null,
      dilations: null,
      pads: [1, 1, 1, 1],
      autoPad: "NOTSET",
      ceilMode: false,
      group: 2,
    } as const;
    const accumulator = new ConvInputAccumulator(kernel.shape, attributes, { gram: false });
    accumulator.accumulate(image);
    await check(model, image, accumulator.statistics(), 1);
  });
});

test("no bias, a shared bias, a product that others read too: skipped, and nothing changes", async () => {
  const w = noise([8, 6], 1);
  const bias = noise([6], 2);
  const models = [
    perceptron(),
    build(
      (b, x) => {
        const c = b.constant(bias, "b");
        const one = b.add("Add", [b.add("MatMul", [x, b.constant(w, "fc1.weight")]), c]);
        return b.add("Mul", [one, c]);
      },
      [20, 8],
    ),
    build(
      (b, x) => {
        const product = b.add("MatMul", [x, b.constant(w, "fc1.weight")]);
        return b.add("Mul", [b.add("Add", [product, b.constant(bias, "b")]), product]);
      },
      [20, 8],
    ),
    build((b, x) => b.add("Add", [b.add("MatMul", [b.constant(w, "fc1.weight"), x]), b.constant(bias, "b")]), [6, 6]),
  ];
  for (const model of models) {
    const channels = model.graph.inputs[0]!.type!.shape![1] as number;
    const {
      model: same,
      corrected,
      skipped,
    } = correctBiases(model, model, new Map([["fc1.weight", seen(inputs([4, channels]))]]));
    expect([corrected, skipped]).toEqual([[], ["fc1.weight"]]);
    expect(same).toEqual(model);
  }
  expect(() => correctBiases(models[0]!, models[0]!, new Map([["gone", seen(inputs([4, 8]))]]))).toThrow("'gone'");
});
