import fc from "fast-check";
import { it } from "vitest";
import { cumSumKernel } from "../../src/backends/webgpu/kernels/cum-sum.js";
import { rotaryEmbeddingKernel } from "../../src/backends/webgpu/kernels/rotary-embedding.js";
import { Tensor } from "../../src/tensor/index.js";
import { EXACT, randomTensor, type Tolerance } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

/** Two products and a sum of values below 1. */
const turned: Tolerance = () => 4 * 2 ** -24;
/** Up to 40 sums of values below 4, each off by half a unit of at most 160. */
const summed: Tolerance = () => 40 * 160 * 2 ** -24;

describeGpu("operators along sequences on WebGPU", () => {
  it("RotaryEmbedding by looked up, started and counted positions, in both layouts", async () => {
    const cases = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      rows: fc.integer({ min: 0, max: 5 }),
      heads: fc.integer({ min: 1, max: 4 }),
      half: fc.integer({ min: 1, max: 10 }),
      beyond: fc.integer({ min: 0, max: 3 }),
      flat: fc.boolean(),
      interleaved: fc.constantFrom(0, 1),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ batch, rows, heads, half, beyond, flat, interleaved, seed }) => {
        const headSize = 2 * half + beyond;
        const x = randomTensor(flat ? [batch, rows, heads * headSize] : [batch, heads, rows, headSize], seed);
        const caches = (shape: number[]) => [randomTensor(shape, seed + 1), randomTensor(shape, seed + 2)];
        const positions = Array.from({ length: batch * rows }, (_, i) => (i * 7 + seed) % 16);
        const ids = Tensor.from("int64", [batch, rows], positions);
        const start = Tensor.from("int64", [1], [seed % 11]);
        const given = caches([16, half]);
        const attributes = { interleaved, num_heads: heads, rotary_embedding_dim: 2 * half };
        for (const form of [
          { version: 23, inputs: [x, ...given, ids] },
          { version: 23, inputs: [x, ...caches([batch, rows, half])] },
          { domain: "com.microsoft", inputs: [x, ids, ...given] },
          { domain: "com.microsoft", inputs: [x, start, ...given] },
        ]) {
          const node = { op: "RotaryEmbedding", attributes, ...form };
          await checkOperator(node, [rotaryEmbeddingKernel], "rotary embedding", turned);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("CumSum either way, with and without the element itself", async () => {
    const shape = [3, 40, 5];
    const wide = randomTensor(shape, 1, 4);
    const whole = Array.from(wide.numbers(), (v) => Math.round(v * 2 ** 29));
    for (const [exclusive, reverse] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      for (const axis of [0, 1, 2]) {
        const check = (x: Tensor, tolerance: Tolerance) =>
          checkOperator(
            {
              op: "CumSum",
              inputs: [x, { constant: Tensor.scalar("int64", axis) }],
              attributes: { exclusive, reverse },
            },
            [cumSumKernel],
            "cumulative sum",
            tolerance,
          );
        await check(wide, summed);
        await check(Tensor.from("int32", shape, whole), EXACT); // wraps
        await check(Tensor.from("int64", shape, whole), EXACT);
      }
    }
  });
});
