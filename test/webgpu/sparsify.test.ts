import { it } from "vitest";
import { sparsifyKernels } from "../../src/backends/webgpu/kernels/sparsify/index.js";
import { sparsify24 } from "../../src/layouts/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomTensor } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

const NAME = "sparsify 2:4 both ways";
const domain = "ai.nonzero";

/** Values of few kinds, so that they tie, and some out of the ordinary. */
function wild(shape: readonly number[], seed: number): Tensor {
  const values = Float32Array.from(randomTensor(shape, seed, 4).numbers());
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, -3e38, 0, -0];
  values.forEach((value, i) => {
    values[i] = i % 2 === 0 ? Math.round(value) : (special[i % 23] ?? value);
  });
  return new Tensor("float32", shape, values);
}

describeGpu("Sparsify24 on a GPU", () => {
  it.each([
    ["largest_abs_values_greedy", "float32"],
    ["largest_values_greedy", "float32"],
    ["best", "float32"],
    ["largest_abs_values_greedy", "bfloat16"],
    ["largest_values_greedy", "float16"],
    ["best", "float16"],
  ] as const)("by %s of %s", async (algorithm, dtype) => {
    for (const x of [randomTensor([64, 96], 1, 4), wild([96, 32], 2)]) {
      const inputs = [x.to(dtype)];
      const attributes = { algorithm };
      await checkOperator({ op: "Sparsify24", domain, inputs, outputs: 5, attributes }, sparsifyKernels, NAME);
    }
  });

  it("leaves what is not made of blocks of 32×32 to the evaluation", async () => {
    const x = randomTensor([36, 64], 3);
    await checkOperator({ op: "Sparsify24", domain, inputs: [x], outputs: 5 }, sparsifyKernels, null);
  });
});

describeGpu("Sparsify24Like on a GPU", () => {
  it("packs another tensor under a mask", async () => {
    const { mask } = sparsify24(randomTensor([64, 96], 4));
    for (const dtype of ["float32", "float16"] as const) {
      const x = randomTensor([64, 96], 5).to(dtype);
      await checkOperator({ op: "Sparsify24Like", domain, inputs: [x, mask], outputs: 2 }, sparsifyKernels, NAME);
    }
  });
});
