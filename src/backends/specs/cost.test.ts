import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Constant, GraphBuilder, type Node } from "../../graph/index.js";
import { bestLayout, parseLayout, SparseTensor } from "../../layouts/index.js";
import { type Matrix, parsePattern } from "../../sparsity/index.js";
import { Tensor } from "../../tensor/index.js";
import { convCost, convSpec } from "./conv/conv.js";
import { linearCost, linearSpec } from "./matmul/linear.js";
import type { NodeContext } from "./node.js";

const PATTERNS = ["dense", "2:4", "50%", "90%", "4:2:4", "block:4x4@75%", "cols@50%", "rows@50%"];

function weightOf(pattern: string, rows: number, cols: number, shape: readonly number[], perm: readonly number[]) {
  const data = Float32Array.from({ length: rows * cols }, (_, i) => ((i * 7919) % 101) + 1);
  const matrix: Matrix = { rows, cols, data };
  const parsed = parsePattern(pattern);
  const mask = parsed.select(matrix);
  const layout = pattern === "dense" ? null : bestLayout(mask, parsed);
  return layout === null
    ? new Tensor("float32", shape, data)
    : new SparseTensor(shape, perm, layout.encode(matrix, mask));
}

/** Entries that a kernel is to multiply, one by one. */
function countEntries(weight: Constant): number {
  if (weight instanceof Tensor) return weight.size;
  let count = 0;
  parseLayout(weight.stored.layout).visit(weight.stored, () => count++);
  return count;
}

function contextOf(node: Node, weight: Constant, shapes: ReadonlyMap<unknown, readonly number[]>): NodeContext {
  return {
    type: (value) => ({ dtype: "float32", shape: value === node.inputs[1] ? weight.shape : shapes.get(value)! }),
    constant: (value) => (value === node.inputs[1] ? weight : undefined),
  };
}

describe("costs, against entries that are counted", () => {
  test("a linear layer's", () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 50 }),
    );
    fc.assert(
      fc.property(sizes, fc.constantFrom(...PATTERNS), ([bands, groups, tokens], pattern) => {
        const [M, K] = [4 * bands, 4 * groups];
        const weight = weightOf(pattern, M, K, [K, M], [1, 0]);
        const b = new GraphBuilder("linear");
        const [x, w] = [b.input("x", "float32", [tokens, K]), b.constant(weight, "w")];
        b.output(b.add("MatMul", [x, w]), "y");
        const node = b.build().nodes[0]!;
        const shapes = new Map<unknown, readonly number[]>([
          [node.inputs[0], [tokens, K]],
          [node.outputs[0], [tokens, M]],
        ]);
        const { multiplyAdds, bytes, product } = linearCost(linearSpec(node, contextOf(node, weight, shapes))!);
        expect(multiplyAdds).toBe(countEntries(weight) * tokens);
        expect(bytes).toBe(weight.byteLength + 4 * tokens * (M + K));
        expect(product).toMatchObject({ rows: M, depth: K, tokens, kept: countEntries(weight) });
        if (pattern.startsWith("4:") || pattern.startsWith("block:")) expect([1, 4]).toContain(product!.share);
      }),
      { numRuns: 60 },
    );
  });

  test("a convolution's", () => {
    for (const pattern of PATTERNS) {
      const [outputs, channels, side] = [8, 4, 5];
      const weight = weightOf(pattern, outputs, channels * 9, [outputs, channels, 3, 3], [0, 2, 3, 1]);
      const b = new GraphBuilder("conv");
      const x = b.input("x", "float32", [1, channels, side, side]);
      b.output(b.add("Conv", [x, b.constant(weight, "w")]), "y");
      const node = b.build().nodes[0]!;
      const shapes = new Map<unknown, readonly number[]>([
        [node.inputs[0], [1, channels, side, side]],
        [node.outputs[0], [1, outputs, 3, 3]],
      ]);
      const { multiplyAdds, bytes, product } = convCost(convSpec(node, contextOf(node, weight, shapes))!);
      expect(multiplyAdds).toBe(countEntries(weight) * 9);
      expect(bytes).toBe(weight.byteLength + 4 * (channels * side * side + outputs * 9));
      expect(product).toMatchObject({ rows: outputs, depth: channels * 9, tokens: 9, window: true });
    }
  });
});
