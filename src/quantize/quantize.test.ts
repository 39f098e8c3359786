import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { modelOf, noise, perceptron } from "../../test/support/small-models.js";
import { optimize } from "../compiler/index.js";
import { readModel, writeModel } from "../formats/onnx/index.js";
import { type Constant, type Graph, GraphBuilder, type Model, subgraphsOf } from "../graph/index.js";
import { SparseTensor } from "../layouts/index.js";
import { evaluateGraph, operators } from "../ops/index.js";
import { applySparse } from "../prune/index.js";
import { fromOrt, toOrt } from "../runtime/convert.js";
import { Runner } from "../runtime/index.js";
import { installNode } from "../runtime/node.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { dequantize, type QuantizeOptions, quantize, SCHEMES } from "./index.js";

installNode();
ort.env.logLevel = "error";

/** A table that is also the last projection, a product in both branches of an If, a Gemm [outputs, inputs] with bias, and one [inputs, outputs]. */
function language(): Model {
  const b = new GraphBuilder("language");
  const ids = b.input("ids", "int64", [1, "n"]);
  const condition = b.input("condition", "bool", []);
  const table = b.constant(noise([50, 64], 1), "table");
  const shared = b.constant(noise([64, 96], 2), "shared");
  const x = b.add("Gather", [table, ids], { axis: 0 });
  const branch = (negate: boolean): Graph => {
    const inner = new GraphBuilder(negate ? "then" : "else");
    const product = inner.add("MatMul", [x, shared], {}, { name: "/branch/MatMul" });
    inner.output(inner.add(negate ? "Neg" : "Relu", [product]));
    return inner.build();
  };
  const chosen = b.add("If", [condition], {
    then_branch: { kind: "graph", value: branch(true) },
    else_branch: { kind: "graph", value: branch(false) },
  });
  const rows = b.add("Reshape", [chosen, b.constant(Tensor.from("int64", [2], [-1, 96]))]);
  const first = b.add("Gemm", [rows, b.constant(noise([64, 96], 3), "gemm.t"), b.constant(noise([64], 4))], {
    transB: 1,
  });
  const second = b.add("Gemm", [b.add("Tanh", [first]), b.constant(noise([64, 64], 5), "gemm.n")]);
  const y = b.add(
    "MatMul",
    [second, b.add("Transpose", [table], { perm: [1, 0] })],
    {},
    { name: "/vocabulary/MatMul" },
  );
  y.type = { dtype: "float32", shape: ["n", 50] };
  b.output(y, "logits");
  return modelOf(b.build());
}

/** A convolution, one of its channels for each output, and a projection. */
function vision(): Model {
  const b = new GraphBuilder("vision");
  const x = b.input("x", "float32", [1, 8, 9, 9]);
  const conv = b.add("Conv", [x, b.constant(noise([16, 8, 3, 3], 1), "conv")], { kernel_shape: [3, 3] });
  const depthwise = b.constant(noise([16, 1, 3, 3], 2), "depthwise");
  const next = b.add("Conv", [b.add("Relu", [conv]), depthwise], { kernel_shape: [3, 3], group: 16 });
  const y = b.add("MatMul", [b.add("Flatten", [next]), b.constant(noise([400, 10], 3), "head")]);
  y.type = { dtype: "float32", shape: [1, 10] };
  b.output(y, "y");
  return modelOf(b.build());
}

const IDS = Tensor.from("int64", [1, 5], [3, 49, 0, 7, 3]);
const FEEDS = {
  language: { ids: IDS, condition: Tensor.from("bool", [], [1]) },
  vision: { x: noise([1, 8, 9, 9], 9) },
};

async function onnxruntime(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const session = await ort.InferenceSession.create(writeModel(model, { sparse: "dense" }), {
    logSeverityLevel: 3,
    graphOptimizationLevel: "disabled", // which would quantize activations too
  });
  const given = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
  const [[name, value]] = Object.entries(await session.run(given as ort.InferenceSession.FeedsType)) as [
    [string, Parameters<typeof fromOrt>[1]],
  ];
  await session.release();
  return fromOrt(name, value) as Tensor;
}

async function ours(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const runner = await Runner.create(model, { threads: 1 });
  const [result] = Object.values(await runner.run(feeds));
  runner.release();
  return result!;
}

const oracle = (model: Model, feeds: Readonly<Record<string, Tensor>>): Tensor =>
  evaluateGraph(model.graph, Object.values(feeds), operators)[0]!;

/** max |a − b| / max |b|. */
function difference(a: Tensor, b: Tensor): number {
  const [x, y] = [Float32Array.from(a.numbers()), Float32Array.from(b.numbers())];
  expect(a.shape).toEqual(b.shape);
  const most = y.reduce((m, value) => Math.max(m, Math.abs(value)), 0);
  return x.reduce((m, value, i) => Math.max(m, Math.abs(value - y[i]!)), 0) / most;
}

/** All constants, subgraphs' too. */
const constantsOf = (graph: Graph): Constant[] => [
  ...graph.constants.values(),
  ...graph.nodes.flatMap((node) => subgraphsOf(node).flatMap(constantsOf)),
];

/** Sums of at most 400 products in three layers, each rounded by 2^-24, in whatever order. */
const ROUNDING = 3 * 400 * 2 ** -24;
/** What four layers of 64 inputs and more make of steps of 1/254 (8 bits) and 1/15 (4 bits) of a weight's range. */
const STEP = { "int8-weight-only": 0.04, "int8-dynamic": 0.08, int4: 0.5 } as const;

describe.each([
  ["language", language],
  ["vision", vision],
] as const)("%s", (name, make) => {
  const feeds = FEEDS[name];
  const cases: QuantizeOptions[] = [
    ...SCHEMES.map((scheme) => ({ scheme, embeddings: true })),
    { scheme: "int4", groupSize: 64, symmetric: false, embeddings: true },
    { scheme: "int8-dynamic" },
  ];

  test.each(cases)("$scheme gives what onnxruntime gives, near the float model", async (options) => {
    const model = make();
    const quantized = (await quantize(model, options)).model;
    const file = readModel(writeModel(quantized));
    const wanted = oracle(model, feeds);
    const got = oracle(file, feeds);
    expect(difference(got, wanted)).toBeLessThan(STEP[options.scheme]);
    // A level of a dynamically quantized activation may fall on either side: a step of 1/255 of its range.
    const tolerance = options.scheme === "int8-dynamic" ? 1 / 255 : ROUNDING;
    expect(difference(await onnxruntime(quantized, feeds), got)).toBeLessThan(tolerance);
    expect(difference(await ours(file, feeds), got)).toBeLessThan(tolerance);
    // To be pruned: floats again, of the values that the codes stand for.
    const floats = dequantize(file);
    expect(constantsOf(floats.graph).every(({ dtype }) => dtype === "float32" || dtype === "int64")).toBe(true);
    if (options.scheme !== "int8-dynamic") expect(difference(oracle(floats, feeds), got)).toBeLessThan(ROUNDING);
    else expect(difference(oracle(floats, feeds), wanted)).toBeLessThan(STEP["int8-weight-only"]);
  });

  test("weights that are read as 8 or 4 bits stay so in what is run", async () => {
    for (const scheme of ["int8-weight-only", "int4"] as const) {
      const { model, weights } = await quantize(make(), { scheme, embeddings: true });
      const quantized = weights.filter(({ stored }) => stored !== "float");
      const floats = weights.filter(({ stored }) => stored === "float").map(({ weight }) => weight.rows * weight.cols);
      const kept = constantsOf(optimize(model.graph));
      expect(kept.some((constant) => constant instanceof SparseTensor)).toBe(true);
      for (const constant of kept) {
        if (constant instanceof SparseTensor)
          expect(constant.byteLength).toBeLessThan(constant.stored.rows * constant.stored.cols * 1.5);
        else expect(constant.size <= 144 || floats.includes(constant.size)).toBe(true);
      }
      expect(quantized.length).toBeGreaterThan(0);
    }
  });
});

describe("sparse weights", () => {
  test.each(SCHEMES)("stay sparse under %s", async (scheme) => {
    const { model } = await applySparse(perceptron(), { pattern: "2:4" });
    const { model: both, weights } = await quantize(model, { scheme });
    expect(weights.map(({ stored }) => stored)).toEqual(["int8", "int8"]);
    const file = readModel(writeModel(both));
    const sparse = constantsOf(file.graph).filter((constant) => constant instanceof SparseTensor);
    expect(sparse.length).toBe(2);
    for (const { stored } of sparse)
      expect([stored.layout, stored.parts.values!.dtype]).toEqual(["semi-structured", "int8"]);
    const feeds = { x: noise([3, 16], 4) };
    const wanted = oracle(model, feeds);
    expect(difference(oracle(file, feeds), wanted)).toBeLessThan(scheme === "int8-dynamic" ? 0.03 : 0.01);
    expect(difference(await ours(file, feeds), oracle(file, feeds))).toBeLessThan(
      scheme === "int8-dynamic" ? 1 / 255 : ROUNDING,
    );
    const floats = constantsOf(dequantize(file).graph).filter((constant) => constant instanceof SparseTensor);
    expect(floats.length).toBe(2);
  });
});

describe("what cannot be", () => {
  const refused = (model: Model, options: object) => expect(quantize(model, options as QuantizeOptions)).rejects;
  test("is a typed error", async () => {
    await refused(perceptron(), { scheme: "int3" }).toThrow(/no scheme 'int3'/);
    await refused(perceptron(), { scheme: "int4", groupSize: 48 }).toThrow(/groups are of 32, 64, 128 inputs, not 48/);
    await refused(perceptron(), { scheme: "int4", layers: ["nothing"] }).toThrow(NonzeroError);
    await refused({ ...perceptron(), opsets: new Map([["", 12]]) }, { scheme: "int4" }).toThrow(/need opset 13/);
    const { model } = await quantize(perceptron(), { scheme: "int8-weight-only" });
    await refused(model, { scheme: "int4" }).toThrow(/no weights to quantize/);
    const bad = perceptron();
    const [value, weight] = [...bad.graph.constants].find(([, constant]) => constant.shape.length === 2)!;
    (bad.graph.constants as Map<typeof value, Constant>).set(
      value,
      new Tensor(
        "float32",
        weight.shape,
        (weight as Tensor).numbers().map((x, i) => (i === 5 ? Number.NaN : x)),
      ),
    );
    await refused(bad, { scheme: "int8-weight-only" }).toThrow(/NaN, which int8 cannot hold/);
    const stopped = { scheme: "int4", signal: AbortSignal.abort() };
    await refused(perceptron(), stopped).toThrow(/was stopped/);
  });
});
