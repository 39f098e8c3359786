import { describe, expect, it } from "vitest";
import type { Graph, Value } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomSource, randomTensor } from "../support/random.js";
import { evaluate, expectClose, fusedOps, fusedSteps, Primitives, runFused, runWasm } from "./support.js";

const [BATCH, HEADS, QUERIES, KEYS, SIZE] = [2, 3, 5, 7, 8];

interface Spelling {
  /** Shape of an additive mask. */
  readonly mask?: readonly number[];
  readonly scale?: "product" | "query" | "both" | "divided";
  /** Heads split from [batch, tokens, heads · size] by Reshape and Transpose, and joined again after. */
  readonly split?: boolean;
  /** Keys transposed in one go with their heads: perm 0, 2, 3, 1. */
  readonly keysAtOnce?: boolean;
  readonly seen?: "scores" | "probabilities" | "keys";
  readonly softmaxAxis?: number;
  /** Keys and values of `past` rows before those that are computed, given out again. */
  readonly past?: number;
}

function spelled(s: Spelling): { graph: Graph; feeds: Tensor[] } {
  const b = new Primitives();
  const random = randomSource(5);
  const feeds: Tensor[] = [];
  const feed = (name: string, shape: readonly number[]): Value => {
    feeds.push(randomTensor(random, shape));
    return b.input(name, "float32", shape);
  };
  const heads = (name: string, tokens: number): Value => {
    if (!s.split) return feed(name, [BATCH, HEADS, tokens, SIZE]);
    return b.transpose(b.reshape(feed(name, [BATCH, tokens, HEADS * SIZE]), 0, 0, HEADS, SIZE), 0, 2, 1, 3);
  };
  let q = heads("q", QUERIES);
  let k = s.keysAtOnce ? feed("k", [BATCH, KEYS, HEADS, SIZE]) : heads("k", KEYS);
  let v = heads("v", KEYS);
  if (s.past !== undefined) {
    k = b.concat(2, feed("past_k", [BATCH, HEADS, s.past, SIZE]), k);
    v = b.concat(-2, feed("past_v", [BATCH, HEADS, s.past, SIZE]), v);
  }
  const factor = 0.37;
  if (s.scale === "query" || s.scale === "both") q = b.add("Mul", [q, b.scalar(factor)]);
  let kT = s.keysAtOnce ? b.transpose(k, 0, 2, 3, 1) : b.transpose(k, 0, 1, 3, 2);
  if (s.scale === "both") kT = b.add("Mul", [b.scalar(factor), kT]);
  let scores = b.add("MatMul", [q, kT]);
  if (s.scale === "product") scores = b.add("Mul", [b.scalar(factor), scores]);
  if (s.scale === "divided") scores = b.add("Div", [scores, b.scalar(3)]);
  const raw = scores;
  if (s.mask) scores = b.add("Add", [feed("mask", s.mask), scores]);
  const probabilities = b.add("Softmax", [scores], { axis: s.softmaxAxis ?? -1 });
  const y = b.add("MatMul", [probabilities, v]);
  b.output(s.split ? b.reshape(b.transpose(y, 0, 2, 1, 3), 0, 0, HEADS * SIZE) : y);
  if (s.seen === "scores") b.output(raw);
  if (s.seen === "probabilities") b.output(probabilities);
  if (s.seen === "keys" || s.past !== undefined) b.output(k);
  if (s.past !== undefined) b.output(v);
  return { graph: b.build(), feeds };
}

/** Sums of SIZE products and of KEYS probabilities, and the exponential's few units. */
const ROUNDINGS = SIZE + 2 * KEYS + 8;

describe("attention in primitives", () => {
  const cases: [string, Spelling][] = [
    ["bare", {}],
    ["the product scaled", { scale: "product" }],
    ["the product divided", { scale: "divided" }],
    ["the queries scaled", { scale: "query" }],
    ["queries and keys scaled", { scale: "both" }],
    ["a mask over all", { mask: [BATCH, HEADS, QUERIES, KEYS], scale: "product" }],
    ["a mask of each batch entry", { mask: [BATCH, 1, 1, KEYS] }],
    ["a mask of queries and keys", { mask: [QUERIES, KEYS] }],
    ["keys transposed with their heads", { keysAtOnce: true }],
    ["heads split and joined", { split: true, scale: "product" }],
    ["heads split, keys an output too", { split: true, seen: "keys" }],
    ["a cache", { past: 4 }],
    ["a cache, heads split", { past: 4, split: true, scale: "both", mask: [1, 1, QUERIES, KEYS + 4] }],
    ["an empty cache, heads split", { past: 0, split: true }],
  ];
  it.each(cases)("is recognized: %s", (_, spelling) => {
    const { graph, feeds } = spelled(spelling);
    const expected = evaluate(graph, feeds);
    const ops = fusedOps(graph, feeds);
    expect(ops).toContain("Attention");
    for (const op of ["MatMul", "Softmax", "Mul", "Div", "Add", "Concat"]) expect(ops).not.toContain(op);
    if (spelling.split) expect(ops).toEqual(["Attention"]);
    expectClose(runFused(graph, feeds), expected, ROUNDINGS);
    expectClose(runWasm(graph, feeds), expected, ROUNDINGS);
  });

  const misses: [string, Spelling][] = [
    ["scores that are an output too", { seen: "scores" }],
    ["probabilities that are an output too", { seen: "probabilities" }],
    ["a softmax over the queries", { softmaxAxis: 2 }],
    ["a mask with one value for all keys", { mask: [BATCH, HEADS, QUERIES, 1] }],
    ["a scalar for a mask", { mask: [] }],
    ["a mask of five axes", { mask: [1, BATCH, HEADS, QUERIES, KEYS] }],
  ];
  it.each(misses)("is not recognized: %s", (_, spelling) => {
    const { graph, feeds } = spelled(spelling);
    expect(fusedOps(graph, feeds)).not.toContain("Attention");
    expectClose(runFused(graph, feeds), evaluate(graph, feeds), ROUNDINGS);
  });

  it("drops a constant mask of zeros, and keeps any other", () => {
    for (const value of [0, -1]) {
      const b = new Primitives();
      const [q, k, v] = ["q", "k", "v"].map((name) => b.input(name, "float32", [1, 2, 4, 8])) as [Value, Value, Value];
      const scores = b.add("MatMul", [q, b.transpose(k, 0, 1, 3, 2)]);
      const mask = b.floats([4, 4], [0, 0, 0, value, ...new Array<number>(12).fill(0)]);
      b.output(b.add("MatMul", [b.add("Softmax", [b.add("Add", [scores, mask])], { axis: -1 }), v]));
      const feeds = [1, 2, 3].map((seed) => randomTensor(randomSource(seed), [1, 2, 4, 8]));
      const step = fusedSteps(b.build(), feeds).steps.find(({ node }) => node.op === "Attention");
      expect(step?.node.inputs.length).toBe(value === 0 ? 3 : 4);
    }
  });

  it("leaves a cache alone whose joined keys something else reads", () => {
    const b = new Primitives();
    const shape = [1, 2, 4, 8];
    const names = ["q", "k", "v", "past_k", "past_v"];
    const [q, k, v, pastK, pastV] = names.map((name) => b.input(name, "float32", shape)) as Value[];
    const [allK, allV] = [b.concat(2, pastK!, k!), b.concat(2, pastV!, v!)];
    const scores = b.add("MatMul", [q!, b.transpose(allK, 0, 1, 3, 2)]);
    b.output(b.add("MatMul", [b.add("Softmax", [scores], { axis: -1 }), allV]));
    b.output(b.add("Relu", [allK]));
    const feeds = names.map((_, seed) => randomTensor(randomSource(seed), shape));
    expect(fusedOps(b.build(), feeds)).toContain("Concat");
    expectClose(runFused(b.build(), feeds), evaluate(b.build(), feeds), 40);
  });

  it("is not recognized where keys are shared by the batch", () => {
    const b = new Primitives();
    const q = b.input("q", "float32", [2, 2, 4, 8]);
    const k = b.input("k", "float32", [1, 2, 4, 8]);
    const v = b.input("v", "float32", [2, 2, 4, 8]);
    const scores = b.add("MatMul", [q, b.transpose(k, 0, 1, 3, 2)]);
    b.output(b.add("MatMul", [b.add("Softmax", [scores], { axis: -1 }), v]));
    const feeds = [q, k, v].map((value, seed) => randomTensor(randomSource(seed), value.type!.shape as number[]));
    expect(fusedOps(b.build(), feeds)).not.toContain("Attention");
    expectClose(runFused(b.build(), feeds), evaluate(b.build(), feeds), 40);
  });

  it("gives back int-typed values untouched", () => {
    const b = new Primitives();
    const x = b.input("x", "int64", [2, 3]);
    b.output(b.transpose(b.transpose(x, 1, 0), 1, 0));
    expectClose(
      runFused(b.build(), [Tensor.from("int64", [2, 3], [1, 2, 3, 4, 5, 6])]),
      [Tensor.from("int64", [2, 3], [1, 2, 3, 4, 5, 6])],
      0,
    );
  });
});
