import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { optimize } from "../../src/compiler/index.js";
import type { Graph } from "../../src/graph/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { OPERATIONS, randomGraph } from "./random-graph.js";
import { evaluate, runFused, runWasm } from "./support.js";

const graphs = fc
  .tuple(fc.array(fc.constantFrom(...OPERATIONS), { minLength: 1, maxLength: 14 }), fc.nat())
  .map(([operations, seed]) => ({ operations, ...randomGraph(operations, seed) }));

type Run = (graph: Graph, feeds: readonly Tensor[]) => Tensor[];

function expectUnchanged(run: Run, numRuns: number): void {
  fc.assert(
    fc.property(graphs, ({ graph, feeds, tolerances }) => {
      const expected = evaluate(graph, feeds);
      const actual = run(graph, feeds);
      expected.forEach((tensor, i) => {
        expect(actual[i]!.shape).toEqual(tensor.shape);
        const [a, b] = [actual[i]!.numbers(), tensor.numbers()];
        const worst = Math.max(0, ...Array.from(b, (x, k) => Math.abs(a[k]! - x)));
        expect(worst).toBeLessThanOrEqual(tolerances[i]!);
      });
    }),
    { numRuns },
  );
}

describe("random graphs compute the same, to within what rounding may do,", () => {
  it("after the passes", () => expectUnchanged((graph, feeds) => evaluate(optimize(graph), feeds), 300));
  it("after simplification and fusion", () => expectUnchanged(runFused, 300));
  it("on the WebAssembly device", () => expectUnchanged(runWasm, 60));
});
