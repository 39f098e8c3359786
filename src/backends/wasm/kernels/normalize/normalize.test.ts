import fc from "fast-check";
import { describe, it } from "vitest";
import { checkOperator, randomTensor, type Tolerance } from "../../../../../test/support/check-kernel.js";
import type { AttributeLike } from "../../../../graph/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { normalizeKernels } from "./index.js";

/**
 * Mean and variance come from sums of `size` terms, each addition rounding at 2^-24 of it; values are below 2 and, normalized,
 * below √size; weights are below 1. Random rows have variances near 1/3, so that the division enlarges little.
 */
const tolerance =
  (size: number): Tolerance =>
  () =>
    (size + 40) * 2 ** -24 * 2 * Math.sqrt(size);

const float = (value: number): AttributeLike => ({ kind: "float", value });
const sizes = fc.integer({ min: 2, max: 70 });
const runs = { numRuns: 40 };

describe("normalization of rows", () => {
  it("LayerNormalization, with and without bias, over one axis or two", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 1, max: 3 }),
        sizes,
        fc.boolean(),
        fc.boolean(),
        fc.nat(),
        (rows, middle, size, hasBias, both, seed) => {
          const row = both ? [middle, size] : [size];
          const inputs = [
            randomTensor([rows, middle, size], seed),
            randomTensor(row, seed + 1),
            ...(hasBias ? [randomTensor(row, seed + 2)] : []),
          ];
          checkOperator(
            { op: "LayerNormalization", inputs, attributes: { axis: both ? 1 : -1 } },
            normalizeKernels,
            "normalize rows",
            tolerance(middle * size),
          );
        },
      ),
      runs,
    );
  });

  it("LayerNormalization with its statistics, and many rows", () => {
    const inputs = [randomTensor([1, 300, 33], 1), randomTensor([33], 2), randomTensor([33], 3)];
    checkOperator(
      { op: "LayerNormalization", inputs, outputs: 3, attributes: { epsilon: 1e-3 } },
      normalizeKernels,
      "normalize rows",
      tolerance(33),
    );
  });

  it("RMSNormalization and SimplifiedLayerNormalization", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), sizes, fc.nat(), (rows, size, seed) => {
        const inputs = [randomTensor([rows, size], seed), randomTensor([size], seed + 1)];
        checkOperator(
          { op: "RMSNormalization", version: 23, inputs },
          normalizeKernels,
          "normalize rows",
          tolerance(size),
        );
        checkOperator(
          { op: "SimplifiedLayerNormalization", inputs, outputs: 2 },
          normalizeKernels,
          "normalize rows",
          tolerance(size),
        );
        checkOperator(
          { op: "SimplifiedLayerNormalization", domain: "com.microsoft", inputs },
          normalizeKernels,
          "normalize rows",
          tolerance(size),
        );
      }),
      runs,
    );
  });

  it("SkipLayerNormalization and SkipSimplifiedLayerNormalization, with what is optional and without", () => {
    const domain = "com.microsoft";
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        sizes,
        fc.constantFrom(1, 4),
        fc.boolean(),
        fc.nat(),
        (batch, length, size, outputs, optional, seed) => {
          const x = randomTensor([batch, length, size], seed);
          const skip = randomTensor(optional ? [1, length, size] : [batch, length, size], seed + 1);
          const weight = (i: number) => (optional || i === 0 ? randomTensor([size], seed + 2 + i) : null);
          // A row of two nearly equal values has next to no variance: epsilon keeps the division tame.
          const attributes = { epsilon: float(0.1) };
          checkOperator(
            {
              op: "SkipLayerNormalization",
              domain,
              inputs: [x, skip, weight(0), weight(1), weight(2)],
              outputs: outputs === 1 ? 1 : 3,
              attributes,
            },
            normalizeKernels,
            "normalize rows",
            tolerance(size),
          );
          checkOperator(
            { op: "SkipLayerNormalization", domain, inputs: [x, skip, weight(0)], outputs, attributes },
            normalizeKernels,
            "normalize rows",
            tolerance(size),
          );
          checkOperator(
            { op: "SkipSimplifiedLayerNormalization", domain, inputs: [x, skip, weight(0), weight(1)], attributes },
            normalizeKernels,
            "normalize rows",
            tolerance(size),
          );
        },
      ),
      runs,
    );
  });

  it("leaves weights of larger shapes and other types to the evaluation", () => {
    checkOperator(
      { op: "LayerNormalization", inputs: [randomTensor([3, 4], 1), randomTensor([3, 4], 2)] },
      normalizeKernels,
      null,
    );
    checkOperator(
      { op: "LayerNormalization", inputs: [Tensor.zeros("float64", [3, 4]), Tensor.zeros("float64", [4])] },
      normalizeKernels,
      null,
    );
  });
});

describe("normalization of channels", () => {
  const shapes = fc.record({
    batch: fc.integer({ min: 1, max: 3 }),
    groups: fc.integer({ min: 1, max: 4 }),
    inGroup: fc.integer({ min: 1, max: 3 }),
    plane: fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 1, maxLength: 2 }),
    seed: fc.nat(),
  });

  it("GroupNormalization by channel and by group, InstanceNormalization", () => {
    fc.assert(
      fc.property(shapes, ({ batch, groups, inGroup, plane, seed }) => {
        const channels = groups * inGroup;
        const x = randomTensor([batch, channels, ...plane], seed);
        const weights = (count: number) => [randomTensor([count], seed + 1), randomTensor([count], seed + 2)];
        const size = inGroup * plane.reduce((a, b) => a * b, 1);
        const attributes = { num_groups: groups, epsilon: float(0.01) };
        checkOperator(
          { op: "GroupNormalization", inputs: [x, ...weights(channels)], attributes },
          normalizeKernels,
          "normalize groups",
          tolerance(size),
        );
        checkOperator(
          { op: "GroupNormalization", version: 18, inputs: [x, ...weights(groups)], attributes },
          normalizeKernels,
          "normalize groups",
          tolerance(size),
        );
        checkOperator(
          { op: "InstanceNormalization", inputs: [x, ...weights(channels)], attributes: { epsilon: float(0.01) } },
          normalizeKernels,
          "normalize groups",
          tolerance(size),
        );
      }),
      runs,
    );
  });

  it("BatchNormalization by given statistics", () => {
    fc.assert(
      fc.property(shapes, ({ batch, groups: channels, plane, seed }) => {
        const [scale, bias, mean] = [1, 2, 3].map((i) => randomTensor([channels], seed + i));
        const variance = Tensor.from(
          "float32",
          [channels],
          Array.from(randomTensor([channels], seed + 4).numbers(), (v) => 1.5 + v),
        );
        const inputs = [randomTensor([batch, channels, ...plane], seed), scale!, bias!, mean!, variance];
        // A handful of operations on values below 4.
        checkOperator(
          { op: "BatchNormalization", inputs },
          normalizeKernels,
          "batch normalization",
          () => 10 * 4 * 2 ** -24,
        );
        checkOperator({ op: "BatchNormalization", inputs, attributes: { training_mode: 1 } }, normalizeKernels, null);
      }),
      runs,
    );
  });

  it("LRN over neighbouring channels", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 6 }), ({ batch, groups, inGroup, plane, seed }, size) => {
        const x = randomTensor([batch, groups * inGroup, ...plane], seed, 3);
        // Exponent and logarithm to 2 ulp, values below 3.
        checkOperator(
          { op: "LRN", inputs: [x], attributes: { size, alpha: float(0.3), beta: float(0.75), bias: float(1) } },
          normalizeKernels,
          "local response normalization",
          () => 3 * 20 * 2 ** -24,
        );
      }),
      runs,
    );
  });
});
