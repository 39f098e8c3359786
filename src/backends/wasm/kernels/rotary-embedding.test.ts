import fc from "fast-check";
import { describe, it } from "vitest";
import { checkOperator, randomTensor } from "../../../../test/support/check-kernel.js";
import { Tensor } from "../../../tensor/index.js";
import { rotaryEmbeddingKernel } from "./rotary-embedding.js";

const kernels = [rotaryEmbeddingKernel];
/** Two products and a sum of values below 1. */
const tolerance = () => 4 * 2 ** -24;

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

describe("RotaryEmbedding", () => {
  it("turns pairs by looked up, started and counted positions, in both layouts", () => {
    fc.assert(
      fc.property(cases, ({ batch, rows, heads, half, beyond, flat, interleaved, seed }) => {
        const headSize = 2 * half + beyond;
        const x = randomTensor(flat ? [batch, rows, heads * headSize] : [batch, heads, rows, headSize], seed);
        const attributes = { interleaved, num_heads: heads, rotary_embedding_dim: 2 * half };
        const caches = (shape: number[]) => [randomTensor(shape, seed + 1), randomTensor(shape, seed + 2)];
        const ids = Tensor.from(
          "int64",
          [batch, rows],
          Array.from({ length: batch * rows }, (_, i) => (i * 7 + seed) % 16),
        );
        const given = caches([16, half]);
        checkOperator(
          { op: "RotaryEmbedding", version: 23, inputs: [x, ...given, ids], attributes },
          kernels,
          "rotary embedding",
          tolerance,
        );
        checkOperator(
          { op: "RotaryEmbedding", version: 23, inputs: [x, ...caches([batch, rows, half])], attributes },
          kernels,
          "rotary embedding",
          tolerance,
        );
        const domain = "com.microsoft";
        checkOperator(
          { op: "RotaryEmbedding", domain, inputs: [x, ids, ...given], attributes },
          kernels,
          "rotary embedding",
          tolerance,
        );
        checkOperator(
          { op: "RotaryEmbedding", domain, inputs: [x, Tensor.from("int64", [1], [seed % 11]), ...given], attributes },
          kernels,
          "rotary embedding",
          tolerance,
        );
      }),
      { numRuns: 60 },
    );
  });
});
