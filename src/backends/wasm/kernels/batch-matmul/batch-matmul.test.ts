import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../../graph/index.js";
import { operators } from "../../../../ops/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { compare, deviceInfo } from "./harness.node.js";
import { batchMatmulKernels } from "./index.js";

/** Numbers in [-1, 1) that depend on the seed alone. */
const filled = (shape: readonly number[], seed: number): Tensor => {
  let state = seed | 1;
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    data[i] = state / 2 ** 31;
  }
  return new Tensor("float32", shape, data);
};

/** Rounding of a sum of k products of numbers below 1, in any order: k·eps·k at worst, far less in practice. */
const tolerance = (k: number): number => 2 ** -24 * (k + 2) * Math.max(1, k);

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 47, 48, 50) },
);
const batches = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean()), { maxLength: 3 })
  .map((axes) => [axes.map(([n, a]) => (a ? n : 1)), axes.map(([n, , b]) => (b ? n : 1))] as const);

function check(a: Tensor, b: Tensor, k: number, fused: { transA: number; transB: number; alpha: number } | null): void {
  const builder = new GraphBuilder();
  const inputs = [a, b].map((t, i) => builder.input(`x${i}`, "float32", t.shape));
  const attributes = fused === null ? {} : { ...fused, alpha: { kind: "float", value: fused.alpha } as const };
  builder.output(
    builder.add(fused ? "FusedMatMul" : "MatMul", inputs, attributes, { domain: fused ? "com.microsoft" : "" }),
  );
  for (const relaxed of [true, false]) {
    const result = compare(builder.build(), [a, b], batchMatmulKernels, deviceInfo(relaxed && deviceInfo().relaxed));
    const [actual, expected] = [result!.actual[0]!, result!.expected[0]!];
    expect(actual.shape).toEqual(expected.shape);
    const [x, y] = [actual.numbers(), expected.numbers()];
    const limit = tolerance(k) * Math.max(1, Math.abs(fused?.alpha ?? 1));
    for (let i = 0; i < x.length; i++) if (!(Math.abs(x[i]! - y[i]!) <= limit)) expect([i, x[i]]).toEqual([i, y[i]]);
  }
}

describe("batch matmul kernel", () => {
  it("does what MatMul says", () => {
    fc.assert(
      fc.property(batches, size, size, size, fc.nat(), ([aBatch, bBatch], m, n, k, seed) => {
        check(filled([...aBatch, m, k], seed), filled([...bBatch, k, n], seed + 1), k, null);
      }),
      { numRuns: 150 },
    );
  });

  it("takes vectors", () => {
    for (const n of [1, 7, 40]) {
      check(filled([n], 1), filled([n, 9], 2), n, null);
      check(filled([2, 9, n], 1), filled([n], 2), n, null);
      check(filled([n], 1), filled([n], 2), n, null);
      check(filled([3, 11, n], 1), filled([3, n, 1], 2), n, null);
    }
  });

  it.skipIf(!operators.has("com.microsoft::FusedMatMul"))("does what FusedMatMul says", () => {
    const flag = fc.integer({ min: 0, max: 1 });
    const alpha = fc.double({ min: -4, max: 4, noNaN: true });
    fc.assert(
      fc.property(batches, size, size, size, flag, flag, alpha, ([aBatch, bBatch], m, n, k, transA, transB, alpha) => {
        const a = filled([...aBatch, ...(transA ? [k, m] : [m, k])], m + 1);
        const b = filled([...bBatch, ...(transB ? [n, k] : [k, n])], n + 7);
        check(a, b, k, { transA, transB, alpha });
      }),
      { numRuns: 200 },
    );
  });
});
