import { describe, expect, it } from "vitest";
import { optimize } from "../../src/compiler/index.js";
import type { Graph, Value } from "../../src/graph/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { randomSource, randomTensor } from "../support/random.js";
import { evaluate, expectClose, Primitives } from "./support.js";

const SHAPE = [2, 4, 6];
const random = randomSource(11);

/** Operators after all passes, in order. */
const ops = (graph: Graph): string[] => optimize(graph).nodes.map(({ op }) => op);

function checkSame(graph: Graph, feeds: readonly Tensor[], roundings: number): void {
  expectClose(evaluate(optimize(graph), feeds), evaluate(graph, feeds), roundings);
}

/** A graph of one input, [2, 4, 6] unless told otherwise, and one output, or two. */
function graphOf(build: (b: Primitives, x: Value) => Value | Value[], shape: readonly number[] = SHAPE): Graph {
  const b = new Primitives();
  for (const output of [build(b, b.input("x", "float32", shape))].flat()) b.output(output);
  return b.build();
}

const feed = randomTensor(random, SHAPE, -4, 4);
/** Sums of six and a handful of functions. */
const ROUNDINGS = 32;

interface Norm {
  readonly axis?: number;
  readonly gamma?: readonly number[];
  readonly plainBeta?: boolean;
  readonly square?: "Mul" | "Pow";
  readonly root?: "Div" | "Reciprocal";
  readonly centred?: boolean;
  readonly other?: boolean;
  readonly seen?: boolean;
}

/** Layer normalization, or RMS normalization where it is not centred, as exporters spell it. */
const norm =
  (s: Norm) =>
  (b: Primitives, x: Value): Value | Value[] => {
    const mean = (value: Value): Value => b.add("ReduceMean", [value], { axes: [s.axis ?? -1] }, { version: 13 });
    const d = s.centred === false ? x : b.add("Sub", [x, mean(s.other ? b.add("Abs", [x]) : x)]);
    const squared = s.square === "Pow" ? b.add("Pow", [d, b.scalar(2)]) : b.add("Mul", [d, d]);
    const root = b.add("Sqrt", [b.add("Add", [mean(squared), b.scalar(1e-5)])]);
    const quotient = s.root === "Reciprocal" ? b.add("Mul", [d, b.add("Reciprocal", [root])]) : b.add("Div", [d, root]);
    const gamma = b.constant(randomTensor(random, s.gamma ?? [6]));
    const scaled = b.add("Mul", [gamma, quotient]);
    const y = s.centred === false ? scaled : b.add("Add", [scaled, b.constant(randomTensor(random, [6]))]);
    return s.seen ? [y, quotient] : y;
  };

describe("normalization in primitives", () => {
  it.each([
    ["LayerNormalization", {}],
    ["LayerNormalization", { square: "Pow" }],
    ["LayerNormalization", { root: "Reciprocal" }],
    ["LayerNormalization", { axis: 2 }],
    ["RMSNormalization", { centred: false, square: "Pow" }],
    ["RMSNormalization", { centred: false, root: "Reciprocal" }],
  ] as [string, Norm][])("%s is recognized, spelled as %o", (op, spelling) => {
    const graph = graphOf(norm(spelling));
    expect(ops(graph)).toEqual([op]);
    checkSame(graph, [feed], ROUNDINGS);
  });

  it.each([
    ["over another axis", { axis: 1 }],
    ["with a γ that is no vector", { gamma: [4, 6] }],
    ["where the quotient is an output too", { seen: true }],
    ["of the root mean square, where the quotient is an output too", { seen: true, centred: false }],
  ] as [string, Norm][])("is not recognized %s", (_, spelling) => {
    const graph = graphOf(norm(spelling));
    expect(ops(graph).join()).not.toContain("Normalization");
    checkSame(graph, [feed], ROUNDINGS);
  });
});

it("less the mean of something else is root mean square normalization alone", () => {
  const graph = graphOf(norm({ other: true }));
  expect(ops(graph)).toEqual(["Abs", "ReduceMean", "Sub", "RMSNormalization", "Add"]);
  checkSame(graph, [feed], ROUNDINGS);
});

const erf = (b: Primitives, x: Value, by = Math.SQRT2): Value =>
  b.add("Add", [b.add("Erf", [b.add("Div", [x, b.scalar(by)])]), b.scalar(1)]);

describe("activations in primitives", () => {
  it.each([
    ["Gelu", (b, x) => b.add("Mul", [b.add("Mul", [x, erf(b, x)]), b.scalar(0.5)])],
    ["Gelu", (b, x) => b.add("Mul", [b.scalar(0.5), b.add("Mul", [erf(b, x), x])])],
    ["Gelu", (b, x) => b.add("Mul", [b.add("Mul", [x, b.scalar(0.5)]), erf(b, x)])],
    ["Swish", (b, x) => b.add("Mul", [x, b.add("Sigmoid", [x])])],
    ["Swish", (b, x) => b.add("Mul", [b.add("Sigmoid", [b.add("Mul", [b.scalar(1.702), x])]), x])],
    ["HardSwish", (b, x) => b.add("Div", [b.add("Mul", [x, clip(b, x)]), b.scalar(6)])],
    ["HardSwish", (b, x) => b.add("Mul", [b.add("Div", [clip(b, x), b.scalar(6)]), x])],
    ["HardSwish", (b, x) => b.add("Mul", [x, b.add("HardSigmoid", [x], { alpha: 1 / 6, beta: 0.5 })])],
  ] as [string, (b: Primitives, x: Value) => Value][])("%s is recognized", (op, build) => {
    const graph = graphOf(build);
    expect(ops(graph)).toEqual([op]);
    checkSame(graph, [feed], ROUNDINGS);
  });

  it.each([
    ["half of another number", (b, x) => b.add("Mul", [b.add("Mul", [x, erf(b, x)]), b.scalar(0.4)])],
    [
      "the error function of another multiple",
      (b, x) => b.add("Mul", [b.add("Mul", [x, erf(b, x, 1.5)]), b.scalar(0.5)]),
    ],
    ["the sigmoid of something else", (b, x) => b.add("Mul", [x, b.add("Sigmoid", [b.add("Abs", [x])])])],
    ["a hard sigmoid of another slope", (b, x) => b.add("Mul", [x, b.add("HardSigmoid", [x])])],
    ["a clip at five", (b, x) => b.add("Div", [b.add("Mul", [x, clip(b, x, 5)]), b.scalar(6)])],
    [
      "a gate that is an output too",
      (b, x) => {
        const gate = b.add("Sigmoid", [x]);
        return [b.add("Mul", [x, gate]), gate];
      },
    ],
  ] as [string, (b: Primitives, x: Value) => Value | Value[]][])("are not recognized: %s", (_, build) => {
    const graph = graphOf(build);
    for (const op of ["Gelu", "Swish", "HardSwish"]) expect(ops(graph)).not.toContain(op);
    checkSame(graph, [feed], ROUNDINGS);
  });
});

const clip = (b: Primitives, x: Value, high = 6): Value =>
  b.add("Clip", [b.add("Add", [b.scalar(3), x]), b.scalar(0), b.scalar(high)]);

const IMAGE = [2, 3, 5, 4];
const image = randomTensor(random, IMAGE);

describe("convolutions", () => {
  const conv = (b: Primitives, x: Value, op = "Conv"): Value =>
    op === "Conv"
      ? b.add("Conv", [x, b.constant(randomTensor(random, [4, 3, 3, 3])), b.constant(randomTensor(random, [4]))])
      : b.add("ConvTranspose", [x, b.constant(randomTensor(random, [3, 4, 2, 2]))], { strides: [2, 2] });
  const vector = (b: Primitives, ...shape: number[]): Value => b.constant(randomTensor(random, shape, 0.5, 2));
  const batchNorm = (b: Primitives, x: Value): Value =>
    b.add("BatchNormalization", [x, vector(b, 4), vector(b, 4), vector(b, 4), vector(b, 4)]);
  /** Sums of 27 products, scaled by up to eight. */
  const roundings = 27 * 8;

  it.each([
    ["batch normalization", batchNorm],
    ["a factor for each channel", (b, y) => b.add("Mul", [vector(b, 4, 1, 1), y])],
    ["one factor and one summand", (b, y) => b.add("Add", [b.add("Mul", [y, b.scalar(3)]), vector(b, 1)])],
    ["all of them", (b, y) => b.add("Add", [b.add("Mul", [batchNorm(b, y), b.scalar(3)]), vector(b, 1, 4, 1, 1)])],
  ] as [string, (b: Primitives, y: Value) => Value][])("take in %s", (_, follow) => {
    for (const op of ["Conv", "ConvTranspose"]) {
      const graph = graphOf((b, x) => follow(b, conv(b, x, op)), IMAGE);
      expect(ops(graph)).toEqual(op === "Conv" ? ["Conv"] : ["Conv", "DepthToSpace"]);
      checkSame(graph, [image], roundings);
    }
  });

  it.each([
    ["what another node reads too", (b, y) => [batchNorm(b, y), b.add("Relu", [y])]],
    ["a factor along another axis", (b, y) => b.add("Mul", [y, vector(b, 2)])],
    ["a factor that adds an axis", (b, y) => b.add("Mul", [y, vector(b, 1, 1, 1, 1, 1)])],
  ] as [string, (b: Primitives, y: Value) => Value | Value[]][])("leave alone %s", (_, follow) => {
    const graph = graphOf((b, x) => follow(b, conv(b, x)), IMAGE);
    expect(ops(graph).length).toBeGreaterThan(1);
    checkSame(graph, [image], roundings);
  });

  it("transposed ones stay where their windows overlap or leave gaps", () => {
    for (const [kernel, stride] of [
      [3, 2],
      [2, 3],
    ] as const) {
      const build = (b: Primitives, x: Value): Value =>
        b.add("ConvTranspose", [x, b.constant(randomTensor(random, [3, 2, kernel, kernel]))], {
          strides: [stride, stride],
        });
      expect(ops(graphOf(build, IMAGE))).toEqual(["ConvTranspose"]);
    }
  });
});

describe("constants and copies", () => {
  it("are folded, through an If that a constant decides", () => {
    const graph = graphOf((b, x) => {
      const two = b.add("Add", [b.scalar(1), b.scalar(1)]);
      const copy = b.add("Identity", [b.add("Dropout", [x])]);
      const branch = (factor: number): Graph => {
        const inner = new Primitives("branch");
        inner.output(inner.add("Mul", [copy, inner.scalar(factor)]));
        return inner.build();
      };
      const yes = b.add("Greater", [two, b.scalar(1)]);
      return b.add("If", [yes], {
        then_branch: { kind: "graph", value: branch(2) },
        else_branch: { kind: "graph", value: branch(3) },
      });
    });
    expect(ops(graph).filter((op) => op !== "Identity")).toEqual(["Mul"]);
    checkSame(graph, [feed], 0);
  });

  it("keep an output that is an input, and one that is a constant", () => {
    const graph = graphOf((b, x) => [b.add("Identity", [x]), b.add("Neg", [b.scalar(2)])]);
    checkSame(graph, [feed], 0);
  });
});
