import fc from "fast-check";
import { it } from "vitest";
import { resizeKernel } from "../../src/backends/webgpu/kernels/resize/index.js";
import type { AttributeLike } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { EXACT, randomTensor, type Tolerance } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

const list = (dtype: "int64" | "float32", values: readonly number[]) => ({
  constant: Tensor.from(dtype, [values.length], values),
});

const cases = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 2 }),
  sizes: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 2 }),
  lead: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
  coordinates: fc.constantFrom(
    ...["half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners", "pytorch_half_pixel"],
  ),
  seed: fc.nat(),
});

/**
 * Each of two passes rounds the weights, and a product and a sum for every tap; weights are below 1.5 in size and 2.25 in sum for
 * cubic. Antialiasing has as many as 2 · 2 · 8 taps, whose weights are 1 in sum and 1.3 in sum of sizes.
 */
const within =
  (taps: number): Tolerance =>
  () =>
    2 * (taps + 2) * 2.25 ** 2 * 2 ** -24;

const check = (x: Tensor, to: readonly number[], attributes: Record<string, AttributeLike>, tolerance: Tolerance) =>
  x.shape.join() === to.join()
    ? undefined
    : checkOperator(
        { op: "Resize", version: 19, inputs: [x, null, null, list("int64", to)], attributes },
        [resizeKernel],
        "resize",
        tolerance,
      );

describeGpu("Resize on WebGPU", () => {
  it("by linear and cubic interpolation, with and without antialiasing", async () => {
    const modes = fc.constantFrom("linear", "cubic");
    const flag = fc.integer({ min: 0, max: 1 });
    await fc.assert(
      fc.asyncProperty(cases, modes, flag, flag, async (p, mode, antialias, exclude_outside) => {
        const { shape, sizes, lead, coordinates, seed } = p;
        const x = randomTensor([...lead, ...shape], seed);
        const attributes = { mode, antialias, exclude_outside, coordinate_transformation_mode: coordinates };
        await check(x, [...lead, ...sizes], attributes, within(antialias ? 36 : 4));
      }),
      { numRuns: 40 },
    );
  });

  it("to the nearest neighbour, of any elements", async () => {
    const modes = fc.constantFrom("round_prefer_floor", "round_prefer_ceil", "floor", "ceil");
    const dtypes = fc.constantFrom("float32", "uint8", "int64", "float16");
    await fc.assert(
      fc.asyncProperty(cases, modes, dtypes, async (p, nearest_mode, dtype) => {
        const { shape, sizes, lead, coordinates, seed } = p;
        const whole = [...lead, ...shape];
        const x = Tensor.from(dtype, whole, Array.from(randomTensor(whole, seed, 50).numbers(), Math.abs));
        const attributes = { mode: "nearest", nearest_mode, coordinate_transformation_mode: coordinates };
        await check(x, [...lead, ...sizes], attributes, EXACT);
      }),
      { numRuns: 40 },
    );
  });

  it("by scales, by the same ones in several ways", async () => {
    const x = randomTensor([1, 3, 40, 48], 1);
    const scales = list("float32", [1, 1, 2, 1.5]);
    for (const mode of ["nearest", "linear", "cubic"]) {
      for (const version of [10, 19]) {
        if (version === 10 && mode === "cubic") continue;
        const inputs = version === 10 ? [x, scales] : [x, null, scales];
        await checkOperator(
          { op: "Resize", version, inputs, attributes: { mode } },
          [resizeKernel],
          "resize",
          within(4),
        );
      }
    }
  });
});
