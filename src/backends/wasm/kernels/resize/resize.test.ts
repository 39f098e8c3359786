import fc from "fast-check";
import { describe, it } from "vitest";
import { checkOperator, randomTensor, type Tolerance } from "../../../../../test/support/check-kernel.js";
import { Tensor } from "../../../../tensor/index.js";
import { resizeKernel } from "./index.js";

const kernels = [resizeKernel];
const sizesOf = (sizes: readonly number[]) => ({ constant: Tensor.from("int64", [sizes.length], sizes) });
const scalesOf = (scales: readonly number[]) => ({ constant: Tensor.from("float32", [scales.length], scales) });

const cases = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 2 }),
  sizes: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 2 }),
  lead: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
  coordinates: fc.constantFrom("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"),
  seed: fc.nat(),
});
/** Two axes blend four values each, weights below 1.5 in size and 2.25 in sum for cubic; each pass rounds four products and sums. */
const tolerance: Tolerance = () => 2 * 8 * 2.25 ** 2 * 2 ** -24;

describe("Resize", () => {
  it.each(["linear", "cubic"])("by %s interpolation", (mode) => {
    fc.assert(
      fc.property(cases, ({ shape, sizes, lead, coordinates, seed }) => {
        const whole = [...lead, ...sizes];
        if ([...lead, ...shape].join() === whole.join()) return;
        const x = randomTensor([...lead, ...shape], seed);
        const attributes = { mode, coordinate_transformation_mode: coordinates };
        checkOperator(
          { op: "Resize", inputs: [x, null, null, sizesOf(whole)], attributes },
          kernels,
          "resize",
          tolerance,
        );
      }),
      { numRuns: 60 },
    );
  });

  it("to the nearest neighbour, of any elements", () => {
    const modes = fc.constantFrom("round_prefer_floor", "round_prefer_ceil", "floor", "ceil");
    fc.assert(
      fc.property(
        cases,
        modes,
        fc.constantFrom("float32", "uint8", "int64", "float16"),
        ({ shape, sizes, lead, coordinates, seed }, nearest_mode, dtype) => {
          const whole = [...lead, ...sizes];
          if ([...lead, ...shape].join() === whole.join()) return;
          const x = Tensor.from(
            dtype,
            [...lead, ...shape],
            Array.from(randomTensor([...lead, ...shape], seed, 50).numbers(), Math.abs),
          );
          const attributes = { mode: "nearest", nearest_mode, coordinate_transformation_mode: coordinates };
          checkOperator({ op: "Resize", inputs: [x, null, null, sizesOf(whole)], attributes }, kernels, "resize");
        },
      ),
      { numRuns: 60 },
    );
  });

  it("by scales", () => {
    const x = randomTensor([1, 3, 40, 50], 1);
    for (const mode of ["nearest", "linear"])
      checkOperator(
        { op: "Resize", inputs: [x, null, scalesOf([1, 1, 2, 1.5])], attributes: { mode } },
        kernels,
        "resize",
        tolerance,
      );
  });

  it("leaves crops to the evaluation", () => {
    const inputs = [
      randomTensor([4, 4], 1),
      { constant: Tensor.from("float32", [4], [0.2, 0.2, 0.8, 0.8]) },
      null,
      sizesOf([3, 3]),
    ];
    checkOperator(
      { op: "Resize", inputs, attributes: { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize" } },
      kernels,
      null,
    );
  });
});
