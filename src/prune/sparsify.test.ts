import { describe, expect, test } from "vitest";
import { modelOf, noise, perceptron } from "../../test/support/small-models.js";
import { readModel, writeModel } from "../formats/onnx/index.js";
import { GraphBuilder, type Model } from "../graph/index.js";
import { type SparseTensor, toMatrix } from "../layouts/index.js";
import { maskOf, parsePattern, sparsityOf } from "../sparsity/index.js";
import { type DataType, Tensor } from "../tensor/index.js";
import { applyFakeSparsity, applySparse, toSparseModel, weightsOf } from "./index.js";

/** One of every form of the grammar. */
const PATTERNS = [
  "dense",
  "50%",
  "unstructured@87.5%",
  "75%/row",
  "2:4",
  "1:4",
  "4:8",
  "4:2:4",
  "block:8x8@50%",
  "block:4x16@75%+2:4",
  "block:8x8:2:4",
  "shuffled-block:8x8@50%",
  "rows@25%",
  "cols@50%",
];

/** A Gemm, a MatMul and a 3×3 convolution, weights of `dtype`. */
function mixed(dtype: DataType = "float32"): Model {
  const b = new GraphBuilder();
  const x = b.input("x", dtype, [1, 16, 8, 8]);
  const w = (name: string, shape: number[], seed: number) => b.constant(noise(shape, seed).to(dtype), name);
  const conv = b.add("Conv", [x, w("conv", [32, 16, 3, 3], 1)], { pads: [1, 1, 1, 1] });
  const flat = b.add("Flatten", [conv], { axis: 3 }); // [256, 8]
  const hidden = b.add("MatMul", [flat, w("matmul", [8, 64], 2)]);
  b.output(b.add("Gemm", [hidden, w("gemm", [32, 64], 3)], { transB: 1 }), "y");
  return modelOf(b.build());
}

const denseOf = (model: Model): Map<string, Tensor> =>
  new Map(
    weightsOf(model).map(({ name, constant }) => [name, constant instanceof Tensor ? constant : constant.toDense()]),
  );

describe.each(PATTERNS)("%s", (text) => {
  const pattern = parsePattern(text);
  test.each(["float32", "float16"] as const)("holds, and packed equals explicit zeros (%s)", async (dtype) => {
    const model = mixed(dtype);
    const original = denseOf(model);
    const fake = await applyFakeSparsity(model, { pattern: text });
    const packed = await applySparse(model, { pattern });
    const zeroed = denseOf(fake.model);
    for (const { name, constant, perm } of weightsOf(fake.model)) {
      const matrix = toMatrix(constant as Tensor, perm);
      expect(pattern.violation(maskOf(matrix))).toBeNull();
      const before = original.get(name)!.numbers();
      zeroed
        .get(name)!
        .numbers()
        .forEach((value, i) => {
          expect(value === 0 || value === before[i]).toBe(true);
        });
      expect((constant as Tensor).dtype).toBe(dtype);
    }
    const read = readModel(writeModel(packed.model)); // and what is in the file is what was packed
    for (const [name, tensor] of zeroed) {
      expect(denseOf(packed.model).get(name)!.bytes()).toEqual(tensor.bytes());
      expect(denseOf(read).get(name)!.bytes()).toEqual(tensor.bytes());
    }
    packed.weights.forEach(({ sparsity, layout, bytes, denseBytes, weight }, i) => {
      expect(sparsity).toBe(fake.weights[i]!.sparsity);
      expect(sparsity).toBe(sparsityOf(maskOf(toMatrix(zeroed.get(weight.name)!, weight.perm))));
      if (layout !== "dense") expect(bytes).toBeLessThan(denseBytes);
      else expect(bytes).toBe(denseBytes);
    });
    if (text !== "dense") expect(packed.weights.some(({ layout }) => layout !== "dense")).toBe(true);
  });
});

describe("directions", () => {
  const conv = (): Model => {
    const b = new GraphBuilder();
    const data = Float32Array.from({ length: 2 * 4 * 9 }, (_, i) => 1 + Math.floor((i % 36) / 9)); // grows with the channel
    b.output(
      b.add("Conv", [
        b.input("x", "float32", [1, 4, 5, 5]),
        b.constant(new Tensor("float32", [2, 4, 3, 3], data), "w"),
      ]),
      "y",
    );
    return modelOf(b.build());
  };
  test("a convolution's groups run along its input channels, as in ASP", async () => {
    const { model } = await applyFakeSparsity(conv(), { pattern: "2:4" });
    const values = denseOf(model).get("w")!.numbers();
    // Of the four channels at each place, the two of largest magnitude stay: channels 2 and 3.
    values.forEach((value, i) => {
      const channel = Math.floor((i % 36) / 9);
      expect(value).toBe(channel >= 2 ? channel + 1 : 0);
    });
  });
  test("rows are outputs", async () => {
    const { model } = await applyFakeSparsity(perceptron(), { pattern: "rows@50%", layers: ["fc1.weight"] });
    const w = denseOf(model).get("fc1.weight")!.numbers(); // [16 inputs, 32 outputs]
    const empty = Array.from({ length: 32 }, (_, out) =>
      Array.from({ length: 16 }, (_, i) => w[i * 32 + out]).every((v) => v === 0),
    );
    expect(empty.filter(Boolean)).toHaveLength(16);
  });
});

describe("stored values", () => {
  const layersOf = async (model: Model, values?: "float32" | "float16" | "bfloat16" | "int8") =>
    (await applySparse(model, { pattern: "2:4", ...(values ? { values } : {}) })).model;
  const valuesOf = (model: Model): string[] =>
    weightsOf(model).map(({ constant }) => (constant as SparseTensor).stored.parts.values!.dtype);
  test("are the weight's own dtype unless told", async () => {
    expect(new Set(valuesOf(await layersOf(mixed("float16"))))).toEqual(new Set(["float16"]));
    expect(new Set(valuesOf(await layersOf(mixed("bfloat16"))))).toEqual(new Set(["bfloat16"]));
    expect(new Set(valuesOf(await layersOf(mixed("float64"))))).toEqual(new Set(["float32"]));
    for (const values of ["float32", "float16", "bfloat16", "int8"] as const)
      expect(new Set(valuesOf(await layersOf(mixed(), values)))).toEqual(new Set([values]));
  });
  test("int8 is within half a step of each row's scale", async () => {
    const exact = denseOf((await applyFakeSparsity(mixed(), { pattern: "2:4" })).model);
    for (const { name, constant, perm } of weightsOf(await layersOf(mixed(), "int8"))) {
      const stored = toMatrix((constant as SparseTensor).toDense(), perm);
      const wanted = toMatrix(exact.get(name)!, perm);
      for (let row = 0; row < wanted.rows; row++) {
        const of = (m: typeof wanted) => m.data.subarray(row * m.cols, (row + 1) * m.cols);
        const step = of(wanted).reduce((largest, v) => Math.max(largest, Math.abs(v)), 0) / 127;
        of(wanted).forEach((value, i) => {
          expect(Math.abs(value - of(stored)[i]!)).toBeLessThanOrEqual(step * 0.5001);
        });
      }
    }
  });
  test("float64 weights keep every bit that is kept, when left dense", async () => {
    const b = new GraphBuilder();
    const w = new Tensor("float64", [4, 1], Float64Array.of(1 / 3, 1 / 7, 2 / 3, 1 / 9));
    b.output(b.add("MatMul", [b.input("x", "float64", [1, 4]), b.constant(w, "w")]), "y");
    const { model } = await applyFakeSparsity(modelOf(b.build()), { pattern: "2:4" });
    expect([...denseOf(model).get("w")!.numbers()]).toEqual([1 / 3, 0, 2 / 3, 0]);
  });
});

describe("toSparseModel", () => {
  test("finds the layout of zeros that are there already", async () => {
    for (const [pattern, layout] of [
      ["2:4", "semi-structured"],
      ["90%", "csr"],
      ["block:8x8@75%", "bsr:8x8"],
    ] as const) {
      const { model } = await applyFakeSparsity(perceptron(), { pattern, layers: ["fc1.weight"] });
      const { weights } = await toSparseModel(model);
      const byName = new Map(weights.map(({ weight, layout }) => [weight.name, layout]));
      expect(byName.get("fc2.weight")).toBe("dense");
      if (pattern !== "90%") expect(byName.get("fc1.weight")).toBe(layout);
      else expect(byName.get("fc1.weight")).not.toBe("dense");
    }
  });
  test("of a sparse model changes nothing", async () => {
    const once = await applySparse(perceptron(), { pattern: "2:4" });
    const twice = await toSparseModel(once.model);
    expect(writeModel(twice.model)).toEqual(writeModel(once.model));
  });
});

test("a weight that was also an input with a default is no input once it is sparse", async () => {
  const { graph, ...rest } = perceptron();
  const model = { ...rest, graph: { ...graph, inputs: [...graph.inputs, ...graph.constants.keys()] } };
  const { model: sparse } = await applySparse(model, { pattern: "2:4", layers: ["fc1.weight"] });
  const read = readModel(writeModel(sparse));
  expect(read.graph.inputs.map(({ name }) => name)).toEqual(["x", "fc2.weight"]);
  const { model: fake } = await applyFakeSparsity(model, { pattern: "2:4" });
  expect(fake.graph.inputs).toHaveLength(3);
});

describe("on the way", () => {
  test("progress comes after each weight", async () => {
    const seen: string[] = [];
    await applySparse(mixed(), {
      pattern: "2:4",
      onProgress: (done, total, { weight }) => seen.push(`${done}/${total} ${weight.name}`),
    });
    expect(seen).toEqual(["1/3 conv", "2/3 matmul", "3/3 gemm"]);
  });
  test("a signal stops it between two weights", async () => {
    const controller = new AbortController();
    let seen = 0;
    const pruning = applySparse(mixed(), {
      pattern: "2:4",
      signal: controller.signal,
      onProgress: () => {
        seen++;
        controller.abort();
      },
    });
    await expect(pruning).rejects.toMatchObject({ code: "aborted" });
    expect(seen).toBe(1);
  });
  test("a bad pattern, a weight with NaN, a model without weights", async () => {
    await expect(applySparse(mixed(), { pattern: "5:4" })).rejects.toMatchObject({ code: "invalid-argument" });
    const b = new GraphBuilder();
    const nan = new Tensor("float32", [4, 1], Float32Array.of(1, Number.NaN, 2, 3));
    b.output(b.add("MatMul", [b.input("x", "float32", [1, 4]), b.constant(nan, "w")], {}, { name: "mm" }), "y");
    await expect(applySparse(modelOf(b.build()), { pattern: "2:4" })).rejects.toMatchObject({
      code: "invalid-argument",
      place: { node: "mm", field: "w" },
    });
    const empty = new GraphBuilder();
    empty.output(empty.add("Relu", [empty.input("x", "float32", [1])]), "y");
    await expect(applySparse(modelOf(empty.build()), { pattern: "2:4" })).rejects.toThrow(/no weights to prune/);
  });
});
