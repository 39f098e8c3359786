import fc from "fast-check";
import { it } from "vitest";
import { poolKernels } from "../../src/backends/webgpu/kernels/pool/index.js";
import type { AttributeLike } from "../../src/graph/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { EXACT, randomTensor } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

/** Largest values are exact. A mean of n numbers below 1 is off by n · 2^-24 at worst, and the division by 2.5 units. */
function check(op: string, x: Tensor, attributes: Record<string, AttributeLike>, terms: number): Promise<void> {
  const kernel = op.startsWith("Global") ? "global-pool" : "pool";
  const tolerance = op.includes("Max") ? EXACT : () => 2 ** -24 * (terms + 5);
  return checkOperator({ op, version: 22, inputs: [x], attributes }, poolKernels, kernel, tolerance);
}

const axis = fc
  .record({
    size: fc.oneof(fc.integer({ min: 1, max: 14 }), fc.constantFrom(30, 60)),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 3 }),
    end: fc.integer({ min: 0, max: 3 }),
  })
  .map((a) => ({ ...a, begin: Math.min(a.begin, a.kernel - 1), end: Math.min(a.end, a.kernel - 1) }))
  .filter((a) => a.size + a.begin + a.end >= (a.kernel - 1) * a.dilation + 1);
const axes = fc.oneof(
  fc.array(axis, { minLength: 1, maxLength: 2 }),
  fc.array(
    axis.filter(({ size }) => size <= 8),
    { minLength: 3, maxLength: 3 },
  ),
);
const leading = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 }));

describeGpu("pooling on WebGPU", () => {
  it("does what MaxPool and AveragePool say", async () => {
    const op = fc.constantFrom("MaxPool", "AveragePool");
    const flag = fc.integer({ min: 0, max: 1 });
    await fc.assert(
      fc.asyncProperty(op, leading, axes, flag, flag, async (op, [n, c], axes, ceil_mode, count_include_pad) => {
        const attributes = {
          kernel_shape: axes.map((a) => a.kernel),
          strides: axes.map((a) => a.stride),
          dilations: axes.map((a) => a.dilation),
          pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
          ceil_mode,
          ...(op === "AveragePool" ? { count_include_pad } : {}),
        };
        const terms = axes.reduce((product, a) => product * a.kernel, 1);
        await check(op, randomTensor([n, c, ...axes.map((a) => a.size)], n + 2 * c), attributes, terms);
      }),
      { numRuns: 150 },
    );
  });

  it("pads by itself, and lets NaN win", async () => {
    const x = randomTensor([1, 2, 9, 10], 1);
    (x.data as Float32Array)[37] = Number.NaN;
    for (const op of ["MaxPool", "AveragePool"]) {
      for (const auto_pad of ["SAME_UPPER", "SAME_LOWER", "VALID"]) {
        await check(op, x, { auto_pad, kernel_shape: [3, 2], strides: [2, 2] }, 6);
      }
    }
    for (const op of ["GlobalMaxPool", "GlobalAveragePool"]) await check(op, x, {}, 90);
  });

  it("does what the global poolings say", async () => {
    for (const shape of [
      [1, 3, 7, 7],
      [2, 5, 1],
      [1, 600, 4, 4],
      [3, 2, 4, 5, 6],
      [1, 1, 200, 300],
    ]) {
      const size = shape.slice(2).reduce((a, b) => a * b, 1);
      for (const op of ["GlobalMaxPool", "GlobalAveragePool"]) await check(op, randomTensor(shape, size), {}, size);
    }
  });
});
