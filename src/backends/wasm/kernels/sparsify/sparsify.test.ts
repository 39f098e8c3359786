import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkOperator, graphOf, randomTensor } from "../../../../../test/support/check-kernel.js";
import { evaluateGraph, operators } from "../../../../ops/index.js";
import { BOTH_WAYS_ALGORITHMS, type BothWaysAlgorithm } from "../../../../sparsity/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { sparsifyKernels } from "./index.js";

const NAME = "sparsify 2:4 both ways";
const DTYPES = ["float32", "float16", "bfloat16"] as const;

const check = (x: Tensor, algorithm: BothWaysAlgorithm, kernel: string | null = NAME): void =>
  checkOperator(
    { op: "Sparsify24", domain: "ai.nonzero", inputs: [x], outputs: 5, attributes: { algorithm } },
    sparsifyKernels,
    kernel,
  );

/** Some values of few kinds, so that they tie, or out of the ordinary. */
function withSpecials(x: Tensor, seed: number): Tensor {
  const special = [0, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, 1e-40];
  const values = Float32Array.from(x.numbers());
  const choice = randomTensor([values.length], seed + 1, special.length).numbers();
  values.forEach((_, i) => {
    if (choice[i]! > 0 && i % 3 !== 0) values[i] = special[Math.floor(choice[i]!)]!;
  });
  return Tensor.from(x.dtype, x.shape, values);
}

describe.each(BOTH_WAYS_ALGORITHMS)("Sparsify24 by %s", (algorithm) => {
  it("of any whole tiles, ties, NaN and infinities among them", () => {
    const cases = fc.record({
      rows: fc.integer({ min: 1, max: 20 }),
      cols: fc.integer({ min: 1, max: 40 }),
      dtype: fc.constantFrom(...DTYPES),
      special: fc.boolean(),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ rows, cols, dtype, special, seed }) => {
        const x = randomTensor([4 * rows, 4 * cols], seed, 4).to(dtype);
        check(special ? withSpecials(x, seed) : x, algorithm);
      }),
      { numRuns: 25 },
    );
  });

  it("over several panels, bands and chunks", () => {
    check(randomTensor([548, 1100], 5), algorithm);
    check(randomTensor([264, 648], 6).to("bfloat16"), algorithm);
  });

  it("where few units have ties, NaN or infinities", () => {
    const x = randomTensor([128, 512], 8, 4);
    const values = Float32Array.from(x.numbers());
    for (let i = 0; i < 40; i++) {
      const at = (i * 7919) % 65000;
      values[at + 1 + (i % 3)] = [values[at]!, -values[at]!, Number.NaN, Number.NEGATIVE_INFINITY][i % 4]!;
      if (i % 5 === 0) values[at + 512] = values[at]!;
    }
    for (const dtype of DTYPES) check(new Tensor("float32", x.shape, values).to(dtype), algorithm);
  });

  it("where places differ in their lowest bits alone, or not at all", () => {
    const of = (value: (i: number) => number): Tensor =>
      new Tensor(
        "float32",
        [64, 64],
        Float32Array.from({ length: 64 * 64 }, (_, i) => value((i * 7919) % 4096)),
      );
    check(
      of((i) => 1 + (i % 13) * 2 ** -23),
      algorithm,
    );
    check(
      of((i) => (i % 3 === 0 ? (i % 13) * 2 ** -149 : 0)),
      algorithm,
    );
    check(
      of((i) => (i % 3 === 0 ? 0 : i % 3 === 1 ? -0 : 1 + (i % 16) * 2 ** -23)),
      algorithm,
    );
  });

  it("of what a ReLU leaves", () => {
    for (const dtype of DTYPES) {
      const x = randomTensor([96, 192], 7);
      check(
        Tensor.from(
          "float32",
          x.shape,
          x.numbers().map((value) => Math.max(0, value)),
        ).to(dtype),
        algorithm,
      );
    }
  });
});

describe("Sparsify24", () => {
  it("leaves what has no entries to the evaluation", () => {
    check(Tensor.zeros("float32", [0, 8]), "best", null);
  });

  it("copies every bit of what it keeps", () => {
    const bits = Uint32Array.from({ length: 128 }, (_, i) => (i % 3 === 0 ? 0x80000000 : 0x7fa00000 + i));
    const x = new Tensor("float32", [4, 32], new Float32Array(bits.buffer));
    const { graph, feeds } = graphOf({ op: "Sparsify24", domain: "ai.nonzero", inputs: [x], outputs: 5 });
    const [packed] = evaluateGraph(graph, feeds, operators);
    const kept = new Uint32Array(packed!.bytes().slice().buffer);
    expect([...kept].every((word) => word === 0 || bits.includes(word))).toBe(true);
    check(x, "largest_abs_values_greedy");
  });
});

describe("Sparsify24Like", () => {
  it.each(DTYPES)("packs several panels, bands and chunks of %s", (dtype) => {
    const x = randomTensor([548, 648], 9);
    const pattern = graphOf({ op: "Sparsify24", domain: "ai.nonzero", inputs: [x], outputs: 5 });
    const mask = evaluateGraph(pattern.graph, pattern.feeds, operators)[4]!;
    const inputs = [randomTensor([548, 648], 10).to(dtype), mask];
    checkOperator({ op: "Sparsify24Like", domain: "ai.nonzero", inputs, outputs: 2 }, sparsifyKernels, NAME);
  });

  it("packs any tensor under a mask", () => {
    const cases = fc.record({
      rows: fc.integer({ min: 1, max: 20 }),
      cols: fc.integer({ min: 1, max: 40 }),
      dtype: fc.constantFrom(...DTYPES),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ rows, cols, dtype, seed }) => {
        const shape = [4 * rows, 4 * cols];
        const pattern = graphOf({
          op: "Sparsify24",
          domain: "ai.nonzero",
          inputs: [randomTensor(shape, seed)],
          outputs: 5,
        });
        const mask = evaluateGraph(pattern.graph, pattern.feeds, operators)[4]!;
        checkOperator(
          {
            op: "Sparsify24Like",
            domain: "ai.nonzero",
            inputs: [randomTensor(shape, seed + 1).to(dtype), mask],
            outputs: 2,
          },
          sparsifyKernels,
          NAME,
        );
      }),
      { numRuns: 20 },
    );
  });
});
