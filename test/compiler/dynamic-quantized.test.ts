import { describe, expect, it } from "vitest";
import { detectDevice, Session } from "../../src/backends/wasm/index.js";
import { everyKernel } from "../../src/backends/wasm/kernels/every.js";
import { Executor, optimize } from "../../src/compiler/index.js";
import { readModel, writeModel } from "../../src/formats/onnx/index.js";
import type { Graph, Model, Value } from "../../src/graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../src/layouts/index.js";
import { parsePattern } from "../../src/sparsity/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomSource, randomTensor } from "../support/random.js";
import { evaluate, expectClose, fusedOps, Primitives, runFused, runWasm } from "./support.js";

everyKernel();

const [TOKENS, K, N] = [21, 48, 40];
const random = randomSource(3);

const codes = (shape: readonly number[]): Tensor =>
  Tensor.from(
    "int8",
    shape,
    Array.from(randomTensor(random, shape).numbers(), (v) => Math.round(127 * v)),
  );

function pruned(weight: Tensor, pattern: string, layout: string): SparseTensor {
  const matrix = toMatrix(weight, [1, 0]);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  const stored = parseLayout(layout).encode(matrix, mask, { values: "int8", dtype: "int8" });
  return new SparseTensor(weight.shape, [1, 0], stored);
}

/** The product of dynamically quantized x as onnxruntime's `quantize_dynamic` writes it. */
function product(
  b: Primitives,
  [q, scale, zero]: readonly Value[],
  weight: Tensor | SparseTensor,
  perChannel: boolean,
) {
  const outputs = weight.shape[1]!;
  const scales = perChannel ? randomTensor(random, [outputs], 0.001, 0.01) : Tensor.from("float32", [1], [0.004]);
  const zeros = Tensor.from("int8", perChannel ? [outputs] : [], new Array(perChannel ? outputs : 1).fill(0));
  const sums = b.add("MatMulInteger", [q!, b.constant(weight), zero!, b.constant(zeros)]);
  const floats = b.add("Cast", [sums], { to: 1 });
  return b.add("Mul", [floats, b.add("Mul", [scale!, b.constant(scales)])]);
}

/** Two layers that share their quantized input, one of them with a sparse weight, then a third on what the first gives. */
function layers(tokens: number): { graph: Graph; feeds: Tensor[] } {
  const b = new Primitives();
  const x = b.input("x", "float32", [1, tokens, K]);
  const quantized = b.addMany("DynamicQuantizeLinear", [x], 3);
  const bias = b.constant(randomTensor(random, [N]));
  const first = b.add("Relu", [b.add("Add", [product(b, quantized, codes([K, N]), true), bias])]);
  const sparse = pruned(codes([K, N]), "block:8x8@50%", "bsr:8x8");
  const second = b.add("Add", [product(b, quantized, sparse, false), first]);
  b.output(second);
  b.output(product(b, b.addMany("DynamicQuantizeLinear", [first], 3), codes([N, 8]), true));
  return { graph: b.build(), feeds: [randomTensor(random, [1, tokens, K])] };
}

describe("dynamically quantized products", () => {
  it.each([1, TOKENS])("become one operator each, for %i tokens", (tokens) => {
    const { graph, feeds } = layers(tokens);
    expect(fusedOps(graph, feeds)).toEqual(new Array(3).fill("DynamicQuantizedLinear"));
    const expected = evaluate(graph, feeds);
    expectClose(runFused(graph, feeds), expected, 16);
    expectClose(runWasm(graph, feeds), expected, 16);
  });

  it("give the same on one thread and on two", () => {
    const { graph, feeds } = layers(TOKENS);
    const [one, two] = [1, 2].map((threads) => {
      const session = new Session(detectDevice(threads));
      const executor = new Executor(optimize(graph), session);
      const results = executor.run(feeds).map((tensor) => Array.from(tensor.numbers()));
      executor.release();
      return results;
    });
    expect(two).toEqual(one);
  });

  it("keep the quantized x where something else reads it", () => {
    const b = new Primitives();
    const x = b.input("x", "float32", [TOKENS, K]);
    const quantized = b.addMany("DynamicQuantizeLinear", [x], 3);
    b.output(product(b, quantized, codes([K, N]), true));
    b.output(quantized[0]!);
    const graph = b.build();
    const feeds = [randomTensor(random, [TOKENS, K])];
    expect(fusedOps(graph, feeds)).toEqual(["DynamicQuantizeLinear", "DynamicQuantizedLinear"]);
    expectClose(runWasm(graph, feeds), evaluate(graph, feeds), 16);
  });

  it("are left alone where their sums are read, or the scale is another's", () => {
    const b = new Primitives();
    const x = b.input("x", "float32", [TOKENS, K]);
    const quantized = b.addMany("DynamicQuantizeLinear", [x], 3);
    const other = b.addMany("DynamicQuantizeLinear", [b.add("Neg", [x])], 3);
    b.output(product(b, [quantized[0]!, other[1]!, quantized[2]!], codes([K, N]), true));
    const graph = b.build();
    const feeds = [randomTensor(random, [TOKENS, K])];
    expect(fusedOps(graph, feeds)).toContain("MatMulInteger");
    expectClose(runWasm(graph, feeds), evaluate(graph, feeds), 16);
  });

  it("keep their sparse int8 weights through a file", () => {
    const { graph, feeds } = layers(TOKENS);
    const model: Model = { graph, opsets: new Map([["", 21]]), irVersion: 10, producer: "test", metadata: new Map() };
    const again = readModel(writeModel(model));
    const sparse = [...again.graph.constants.values()].filter((constant) => constant instanceof SparseTensor);
    expect(sparse.map(({ dtype, stored }) => [dtype, stored.layout, stored.parts.values!.dtype])).toEqual([
      ["int8", "bsr:8x8", "int8"],
    ]);
    expect(evaluate(again.graph, feeds)).toEqual(evaluate(graph, feeds));
  });
});
