import fc from "fast-check";
import { describe, it } from "vitest";
import { checkOperator, randomTensor, ulps } from "../../../../test/support/check-kernel.js";
import { Tensor } from "../../../tensor/index.js";
import { cumSumKernel } from "./cum-sum.js";

const kernels = [cumSumKernel];

describe("CumSum", () => {
  it.each(["float32", "int32", "int64"] as const)("of %s along any axis, either way", (dtype) => {
    const cases = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
        exclusive: fc.constantFrom(0, 1),
        reverse: fc.constantFrom(0, 1),
        seed: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape, axis, exclusive, reverse, seed }) => {
        const random = randomTensor(shape, seed, 100);
        const x = dtype === "float32" ? random : Tensor.from(dtype, shape, Array.from(random.numbers(), Math.round));
        const inputs = [x, { constant: Tensor.scalar("int64", axis) }];
        checkOperator({ op: "CumSum", inputs, attributes: { exclusive, reverse } }, kernels, "cumulative sum", ulps(1));
      }),
      { numRuns: 50 },
    );
  });

  it("leaves other types to the evaluation", () => {
    checkOperator(
      { op: "CumSum", inputs: [Tensor.from("float64", [3], [1, 2, 3]), { constant: Tensor.scalar("int64", 0) }] },
      kernels,
      null,
    );
  });
});
