import { it } from "vitest";
import { normalizeKernels } from "../../src/backends/webgpu/kernels/normalize/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { randomTensor, type Tolerance } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

/** Means of at most 600 numbers below 4, then a factor of at most a few: relative to numbers of that size. */
const normal: Tolerance = (wanted) => 2 ** -15 * Math.max(1, Math.abs(wanted));
const positive = (shape: readonly number[], seed: number): Tensor => {
  const x = randomTensor(shape, seed);
  return new (x.constructor as typeof Tensor)(
    "float32",
    shape,
    (x.data as Float32Array).map((v) => 1.5 + v),
  );
};
const SHAPES: readonly (readonly number[])[] = [
  [1, 1],
  [3, 7],
  [2, 5, 64],
  [4, 600],
  [0, 8],
];

describeGpu("normalizations on WebGPU", () => {
  it("LayerNormalization, with and without bias and statistics", async () => {
    for (const shape of SHAPES) {
      const size = shape.at(-1)!;
      const [x, scale, bias] = [randomTensor(shape, 1, 4), randomTensor([size], 2), randomTensor([size], 3)];
      for (const [inputs, outputs] of [
        [[x, scale], 1],
        [[x, scale, bias], 1],
        [[x, scale, bias], 3],
      ] as const)
        await checkOperator({ op: "LayerNormalization", inputs, outputs }, normalizeKernels, "normalize rows", normal);
    }
    const inputs = [randomTensor([2, 6, 5], 1, 4), randomTensor([6, 5], 2)];
    const node = { op: "LayerNormalization", inputs, attributes: { axis: 1, epsilon: 0.5 } };
    await checkOperator(node, normalizeKernels, "normalize rows", normal);
  });

  it("RMSNormalization and those that add a residual first", async () => {
    for (const shape of SHAPES) {
      const inputs = [randomTensor(shape, 4, 4), randomTensor([shape.at(-1)!], 5)];
      const node = { op: "RMSNormalization", version: 23, inputs };
      await checkOperator(node, normalizeKernels, "normalize rows", normal);
    }
    const domain = "com.microsoft";
    const [x, skip] = [randomTensor([2, 5, 64], 1, 2), randomTensor([2, 5, 64], 2, 2)];
    const [scale, bias, added] = [randomTensor([64], 3), randomTensor([64], 4), randomTensor([64], 5)];
    for (const outputs of [1, 4]) {
      const inputs = [x, skip, scale, bias, added];
      const node = { op: "SkipLayerNormalization", domain, version: 1, inputs, outputs };
      await checkOperator(node, normalizeKernels, "normalize rows", normal);
    }
    const inputs = [x, skip, scale, added];
    const node = { op: "SkipSimplifiedLayerNormalization", domain, version: 1, inputs };
    await checkOperator(node, normalizeKernels, "normalize rows", normal);
  });

  it("GroupNormalization and InstanceNormalization", async () => {
    const x = randomTensor([2, 6, 5, 7], 1, 4);
    const weights = [randomTensor([6], 2), randomTensor([6], 3)];
    for (const num_groups of [1, 2, 6]) {
      const node = { op: "GroupNormalization", inputs: [x, ...weights], attributes: { num_groups } };
      await checkOperator(node, normalizeKernels, "normalize groups", normal);
    }
    const perGroup = { op: "GroupNormalization", version: 18, attributes: { num_groups: 2 } };
    const inputs = [x, randomTensor([2], 2), randomTensor([2], 3)];
    await checkOperator({ ...perGroup, inputs }, normalizeKernels, "normalize groups", normal);
    const instance = { op: "InstanceNormalization", inputs: [x, ...weights] };
    await checkOperator(instance, normalizeKernels, "normalize groups", normal);
  });

  it("BatchNormalization", async () => {
    const weights = [randomTensor([6], 2), randomTensor([6], 3), randomTensor([6], 4), positive([6], 5)];
    for (const shape of [
      [2, 6],
      [3, 6, 5, 7],
    ]) {
      const inputs = [randomTensor(shape, 1, 4), ...weights];
      await checkOperator({ op: "BatchNormalization", inputs }, normalizeKernels, "normalize batch", normal);
    }
  });

  it("LRN over odd and even neighbourhoods", async () => {
    for (const size of [1, 4, 5]) {
      const attributes = { size, alpha: 0.5, beta: 0.75, bias: 1.5 };
      const node = { op: "LRN", inputs: [randomTensor([2, 7, 3, 5], size, 2)], attributes };
      await checkOperator(node, normalizeKernels, "local response normalization", normal);
    }
  });
});
