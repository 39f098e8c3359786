import { describe, expect, it } from "vitest";
import { ints, nestedOf, run, tensor } from "../../../test/support/run-operator.js";

const scores = tensor("float64", [
  [1, 2, 4],
  [0.5, 0, 8],
]);
const weight = tensor("float64", [2, 3, 5]);

describe("NegativeLogLikelihoodLoss", () => {
  it("reduces by none, sum and the mean of the weights", () => {
    const loss = (attributes: Record<string, string | number>): unknown =>
      nestedOf(run("NegativeLogLikelihoodLoss", [scores, ints(1, 2), weight], attributes)[0]!);
    expect(loss({ reduction: "none" })).toEqual([-6, -40]);
    expect(loss({ reduction: "sum" })).toBe(-46);
    expect(loss({})).toBe(-46 / 8);
    expect(loss({ ignore_index: 2 })).toBe(-2);
  });
  it("ignores labels outside the classes only where asked", () => {
    const run2 = (attributes: Record<string, number>) =>
      run("NegativeLogLikelihoodLoss", [scores, ints(0, -7)], attributes)[0]!.item();
    expect(run2({ ignore_index: -7 })).toBe(-1);
    expect(() => run2({})).toThrow(/none of 3 classes/);
  });
});

describe("SoftmaxCrossEntropyLoss", () => {
  it("is the loss of the log softmax, which it returns", () => {
    const x = tensor("float64", [
      [
        [1, 2],
        [3, 4],
        [0, 0],
      ],
    ]);
    const target = tensor("int64", [[1, 2]]);
    const [loss, log] = run("SoftmaxCrossEntropyLoss", [x, target], { reduction: "none" }, { outputs: 2 });
    const lse = [0, 1].map((d) =>
      Math.log([0, 1, 2].reduce((s, c) => s + Math.exp((nestedOf(x) as number[][][])[0]![c]![d]!), 0)),
    );
    const at = loss!.numbers();
    expect(at[0]).toBeCloseTo(lse[0]! - 3, 12);
    expect(at[1]).toBeCloseTo(lse[1]! - 0, 12);
    expect((nestedOf(log!) as number[][][])[0]![2]![1]).toBeCloseTo(-lse[1]!, 12);
  });
});
