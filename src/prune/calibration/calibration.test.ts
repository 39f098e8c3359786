import { describe, expect, it } from "vitest";
import { installNodeHost } from "../../backends/wasm/host.node.js";
import { type Graph, GraphBuilder, type Model, type Value } from "../../graph/index.js";
import { evaluateGraph, operators } from "../../ops/index.js";
import { Tensor } from "../../tensor/index.js";
import { sparseGpt, wanda } from "../methods/index.js";
import { applyFakeSparsity } from "../sparsify.js";
import { InputAccumulator, type InputStatistics } from "../statistics/index.js";
import { weightsOf } from "../weights.js";
import { calibrate, collectSamples, sourcesOf } from "./index.js";

installNodeHost();

let seed = 1;
const noise = (...shape: number[]): Tensor =>
  Tensor.from(
    "float32",
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
      return (seed >>> 8) / 2 ** 23 - 1;
    }),
  );

const modelOf = (graph: Graph): Model => ({
  graph,
  opsets: new Map([["", 21]]),
  irVersion: 10,
  producer: "test",
  metadata: new Map(),
});

/** Statistics of rows as they are summed from a tensor whose last axis is the channels. */
function direct(...tensors: Tensor[]): InputStatistics {
  const sums = new InputAccumulator(tensors[0]!.shape.at(-1)!, { gram: true });
  for (const tensor of tensors) sums.accumulate(tensor);
  return sums.statistics();
}

/** Equal but for the order in which sums were made, and what single precision did to the activations before them. */
function expectClose(seen: InputStatistics, expected: InputStatistics): void {
  expect(seen.count).toBe(expected.count);
  const scale = Math.max(...expected.sumOfSquares);
  expected.gram!.forEach((sum, i) => {
    expect(Math.abs(seen.gram![i]! - sum)).toBeLessThanOrEqual(1e-5 * scale);
  });
}

async function statisticsOf(model: Model, samples: readonly Record<string, Tensor>[]) {
  const sources = sourcesOf(model, weightsOf(model));
  const feeds = await collectSamples(model.graph, samples);
  const seen = await calibrate(model, feeds, sources, { gram: true, threads: 1 });
  return (name: string): readonly InputStatistics[] => {
    const source = sources.find(({ weights }) => weights.some((weight) => weight.name === name));
    return seen.get(source!)!;
  };
}

/** x → w1 → relu → w2 (read transposed, from the left) and w3, which share their inputs. */
function chain(): Model {
  const b = new GraphBuilder("chain");
  const x = b.input("x", "float32", ["n", 6]);
  const hidden = b.add("Relu", [b.add("MatMul", [x, b.constant(noise(6, 8), "w1")])]);
  b.output(b.add("Gemm", [hidden, b.constant(noise(5, 8), "w2")], { transB: 1 }), "y");
  b.output(b.add("MatMul", [hidden, b.constant(noise(8, 3), "w3")]), "z");
  return modelOf(b.build());
}

const hiddenOf = (model: Model, x: Tensor): Tensor => {
  const relu = model.graph.nodes.find(({ op }) => op === "Relu")!.outputs[0]!;
  return evaluateGraph({ ...model.graph, outputs: [relu] }, [x], operators)[0]!;
};

describe("calibrate", () => {
  it("sums up what each weight is multiplied with; weights of the same inputs share the sums", async () => {
    const model = chain();
    const xs = [noise(7, 6), noise(4, 6)];
    const statistics = await statisticsOf(
      model,
      xs.map((x) => ({ x })),
    );
    expectClose(statistics("w1")[0]!, direct(...xs));
    expectClose(statistics("w2")[0]!, direct(...xs.map((x) => hiddenOf(model, x))));
    expect(statistics("w3")).toBe(statistics("w2"));
  });

  it("reads channels where the product has them: W·x, and transposed operands", async () => {
    const b = new GraphBuilder("sides");
    const [x, t] = [b.input("x", "float32", [2, 6, 4]), b.input("t", "float32", [6, 9])];
    b.output(b.add("MatMul", [b.constant(noise(3, 6), "left"), x]), "y");
    b.output(b.add("Gemm", [t, b.constant(noise(6, 3), "turned")], { transA: 1 }), "z");
    const feeds = { x: noise(2, 6, 4), t: noise(6, 9) };
    const statistics = await statisticsOf(modelOf(b.build()), [feeds]);
    const turned = (tensor: Tensor, perm: number[]): Tensor => {
      const c = new GraphBuilder("turn");
      c.output(c.add("Transpose", [c.input("x", "float32", tensor.shape)], { perm }));
      return evaluateGraph(c.build(), [tensor], operators)[0]!;
    };
    expectClose(statistics("left")[0]!, direct(turned(feeds.x, [0, 2, 1])));
    expectClose(statistics("turned")[0]!, direct(turned(feeds.t, [1, 0])));
  });

  it("sees patches of convolutions, group by group", async () => {
    const b = new GraphBuilder("conv");
    const x = b.input("x", "float32", [1, 4, 5]);
    b.output(b.add("Conv", [x, b.constant(noise(6, 2, 3), "w")], { group: 2 }), "y");
    const feed = noise(1, 4, 5);
    const groups = (await statisticsOf(modelOf(b.build()), [{ x: feed }]))("w");
    expect(groups).toHaveLength(2);
    const at = (c: number, i: number): number => feed.numbers()[c * 5 + i]!;
    groups.forEach((group, g) => {
      const patches = [0, 1, 2].flatMap((p) => [0, 1, 2].flatMap((k) => [at(2 * g, p + k), at(2 * g + 1, p + k)]));
      expectClose(group, direct(Tensor.from("float32", [3, 6], patches)));
    });
  });

  it("looks into branches of If, and into every turn of a Loop", async () => {
    const weight = noise(3, 3);
    const inner = new GraphBuilder("body");
    const [turn, condition] = [inner.input("i", "int64", []), inner.input("c", "bool", [])];
    const state = inner.input("s", "float32", [2, 3]);
    const b = new GraphBuilder("outer");
    const w = b.constant(weight, "w");
    inner.output(inner.add("Identity", [condition]));
    inner.output(inner.add("MatMul", [state, w]));
    void turn;
    const x = b.input("x", "float32", [2, 3]);
    const body = { kind: "graph", value: inner.build() } as const;
    const trips = b.constant(Tensor.from("int64", [], [3]), "trips");
    const looped = b.add("Loop", [trips, null, x], { body });
    const branch = (build: (c: GraphBuilder) => Value): Graph => {
      const c = new GraphBuilder("branch");
      c.output(build(c));
      return c.build();
    };
    const v = b.constant(noise(3, 2), "v");
    const yes = { kind: "graph", value: branch((c) => c.add("MatMul", [looped, v])) } as const;
    const no = { kind: "graph", value: branch((c) => c.add("MatMul", [x, v])) } as const;
    b.output(b.add("If", [b.input("which", "bool", [])], { then_branch: yes, else_branch: no }), "y");
    const feed = noise(2, 3);
    const bool = (value: boolean): Tensor => Tensor.from("bool", [], [value ? 1 : 0]);
    const statistics = await statisticsOf(modelOf(b.build()), [
      { x: feed, which: bool(true) },
      { x: feed, which: bool(false) },
    ]);
    const product = (s: Tensor): Tensor => {
      const c = new GraphBuilder("product");
      c.output(c.add("MatMul", [c.input("s", "float32", [2, 3]), c.constant(weight, "w")]));
      return evaluateGraph(c.build(), [s], operators)[0]!;
    };
    const states = [feed, product(feed), product(product(feed))];
    const after = product(states[2]!);
    expectClose(statistics("v")[0]!, direct(after, feed));
    // The loop runs for the branch that reads its result.
    const runs = statistics("w")[0]!.count / 6;
    expect([1, 2]).toContain(runs);
    expectClose(statistics("w")[0]!, direct(...Array.from({ length: runs }, () => states).flat()));
  });

  it.each([
    ["no samples", [], /there are no calibration samples/],
    ["an input that is missing", [{}], /sample 0, field 'x'.*missing/],
    ["an input of another shape", [{ x: noise(2, 5) }], /sample 0, field 'x'.*float32\[2,5\]/],
    ["an input that the model has not", [{ x: noise(1, 6), u: noise(1) }], /field 'u'.*no such input/],
    [
      "a value that is no number",
      [{ x: noise(1, 6) }, { x: Tensor.from("float32", [1, 6], [0, Number.NaN, 0, 0, 0, 0]) }],
      /sample 1.*NaN/,
    ],
  ])("refuses %s", async (_, samples, message) => {
    await expect(statisticsOf(chain(), samples as Record<string, Tensor>[])).rejects.toThrow(message);
  });

  it("names a weight that no sample reaches", async () => {
    const b = new GraphBuilder("unreached");
    const [x, v] = [b.input("x", "float32", [1, 3]), b.constant(noise(3, 3), "v")];
    const branch = (build: (c: GraphBuilder) => Value) => {
      const c = new GraphBuilder("branch");
      c.output(build(c));
      return { kind: "graph", value: c.build() } as const;
    };
    const [yes, no] = [branch((c) => c.add("MatMul", [x, v])), branch((c) => c.add("Neg", [x]))];
    b.output(b.add("If", [b.input("which", "bool", [])], { then_branch: yes, else_branch: no }), "y");
    const feeds = { x: noise(1, 3), which: Tensor.from("bool", [], [0]) };
    await expect(statisticsOf(modelOf(b.build()), [feeds])).rejects.toThrow(/field 'v'.*no calibration sample reaches/);
  });
});

describe("pruning with calibration", () => {
  const xs = [noise(40, 6), noise(40, 6)].map((x) => ({ x }));

  it("in sequence, prunes each weight by the inputs that the pruned ones before it leave", async () => {
    const model = chain();
    const { model: pruned, weights } = await applyFakeSparsity(model, {
      pattern: "50%",
      method: sparseGpt,
      calibration: { samples: xs, threads: 1, target: "own" },
    });
    expect(weights.map(({ weight }) => weight.name)).toEqual(["w1", "w2", "w3"]);
    const [w1] = [...pruned.graph.constants].filter(([value]) => value.name === "w1").map(([, constant]) => constant);
    const half = { ...model, graph: { ...model.graph, constants: new Map([...model.graph.constants]) } };
    for (const value of half.graph.constants.keys())
      if (value.name === "w1") (half.graph.constants as Map<Value, Tensor>).set(value, w1 as Tensor);
    const statistics = direct(...xs.map(({ x }) => hiddenOf(half, x)));
    const w2 = weightsOf(model).find(({ name }) => name === "w2")!;
    const matrix = { rows: 5, cols: 8, data: (w2.constant as Tensor).data as Float32Array };
    const expected = sparseGpt.prune(matrix, statistics, weights[1]!.pattern);
    expect(weights[1]!.error).toBeCloseTo(expected.error!, 5);
  });

  it("all at once from the dense model, in as many passes as the memory asks for", async () => {
    const seen: number[] = [];
    const run = (memory: number) =>
      applyFakeSparsity(chain(), {
        pattern: "2:4",
        method: wanda,
        layers: ["w2", "w3"],
        calibration: { samples: xs, order: "dense", memory, threads: 1, onSample: (_, total) => seen.push(total) },
      });
    await run(1);
    expect(seen.at(-1)).toBe(2); // w2 and w3 share their inputs
    const { weights } = await run(2 ** 20);
    expect(weights.map(({ sparsity }) => sparsity)).toEqual([0.5, 0.5]);
  });

  it("says where it fell back, and refuses methods that lack their inputs", async () => {
    const b = new GraphBuilder("table");
    b.output(b.add("Gather", [b.constant(noise(8, 4), "table"), b.input("i", "int64", [2])]), "y");
    const model = modelOf(b.build());
    const i = Tensor.from("int64", [2], [1, 2]);
    const options = { pattern: "2:4", method: wanda, layers: ["table"] } as const;
    const { weights } = await applyFakeSparsity(model, { ...options, calibration: { samples: [{ i }] } });
    expect(weights[0]!.notes.join()).toMatch(/by magnitude/);
    await expect(applyFakeSparsity(model, options)).rejects.toThrow(/'wanda' needs calibration samples/);
  });

  it("stops when asked to", async () => {
    const stop = new AbortController();
    const calibration = { samples: xs, threads: 1, onSample: () => stop.abort() };
    const options = { pattern: "50%", method: sparseGpt, calibration, signal: stop.signal };
    await expect(applyFakeSparsity(chain(), options)).rejects.toThrow(/stopped/);
  });
});
