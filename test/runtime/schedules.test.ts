import { expect, test } from "vitest";
import { Choices, type Decision } from "../../src/backends/tuner/index.js";
import { detectDevice, Session } from "../../src/backends/wasm/index.js";
import { Executor } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder } from "../../src/graph/index.js";
import { toSparse } from "../../src/layouts/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { noise } from "../support/small-models.js";

/** A node of each kernel that can be scheduled: attention of few and of many queries, two activations' product, sparse and dense weights. */
function model(): { graph: Graph; feeds: Tensor[] } {
  const b = new GraphBuilder();
  const feeds: Tensor[] = [];
  const feed = (shape: readonly number[]) => {
    feeds.push(noise(shape, feeds.length + 1));
    return b.input(`x${feeds.length}`, "float32", shape);
  };
  for (const queries of [3, 9, 40])
    b.output(
      b.add("Attention", [feed([1, 2, queries, 16]), feed([1, 2, 40, 16]), feed([1, 2, 40, 16])], {}, { version: 23 }),
    );
  b.output(b.add("MatMul", [feed([2, 50, 30]), feed([2, 30, 70])]));
  b.output(b.add("MatMul", [feed([2, 2, 30]), feed([2, 30, 700])]));
  const x = feed([37, 300]);
  b.output(
    b.add("Gemm", [x, b.constant(toSparse(noise([60, 300], 90), "semi-structured", { lossy: true }))], { transB: 1 }),
  );
  b.output(b.add("Gemm", [x, b.constant(noise([60, 300], 91))], { transB: 1 }));
  return { graph: b.build(), feeds };
}

test.each([1, 2])("results do not depend on schedules and layouts but for rounding (%i threads)", async (threads) => {
  const { graph, feeds } = model();
  const choices = new Choices();
  const session = new Session(detectDevice(threads), undefined, choices);
  const executor = new Executor(graph, session);
  const decisions = new Map<string, Decision>();
  const wanted = await choices.listening(
    (decision) => decisions.set(decision.key, decision),
    () => executor.run(feeds),
  );
  const subjects = new Set([...decisions.values()].map(({ subject }) => subject));
  expect([...subjects].sort()).toEqual(["attention", "batch-matmul", "layout", "linear"]);
  for (const { key, candidates } of decisions.values()) {
    for (const candidate of [...candidates.slice(1), candidates[0]!]) {
      choices.set(key, candidate);
      executor.replan();
      executor.run(feeds).forEach((got, i) => {
        const [ours, theirs] = [got.numbers(), wanted[i]!.numbers()] as [Float32Array, Float32Array];
        const apart = ours.reduce((most, value, j) => Math.max(most, Math.abs(value - theirs[j]!)), 0);
        expect(apart).toBeLessThan(300 * 300 * 2 ** -24); // sums of at most 300 products below 1, in any order
      });
    }
  }
  session.release();
});
