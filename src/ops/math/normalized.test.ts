import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { Tensor } from "../../tensor/index.js";

const x = Tensor.from("float32", [2, 3, 2], [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]);

const hardmax = (attributes: Record<string, number>, version: number): number[] =>
  Array.from(checkOperator("Hardmax", [x], attributes, { version })[0]!.numbers());

describe("the axis", () => {
  test("is one axis, the last by default, from opset 13 on", () => {
    expect(hardmax({}, 13)).toEqual([1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1]);
    expect(hardmax({ axis: 1 }, 13)).toEqual([0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1]);
  });

  test("begins the flattened rows, 1 by default, before opset 13", () => {
    const rows = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    expect(hardmax({}, 11)).toEqual(rows);
    expect(hardmax({ axis: -2 }, 12)).toEqual(rows);
    expect(hardmax({ axis: 0 }, 11)).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(hardmax({ axis: 3 }, 11)).toEqual(new Array(12).fill(1));
  });

  test("is refused outside the rank", () => {
    expect(() => hardmax({ axis: 3 }, 13)).toThrow(/axis 3 is outside/);
    expect(() => hardmax({ axis: 4 }, 11)).toThrow(/axis 4 is outside/);
  });
});

test("Softmax sums to 1, and its logarithm is LogSoftmax, however large the elements", () => {
  const lines = fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(lines, (line) => {
      const input = Tensor.from("float64", [1, line.length], line);
      const [shares, logs] = ["Softmax", "LogSoftmax"].map((op) =>
        Array.from(checkOperator(op, [input])[0]!.numbers()),
      );
      expect(Math.abs(shares!.reduce((a, b) => a + b, 0) - 1)).toBeLessThan(line.length * 2 ** -52);
      // e^y of a logarithm y that is off by half a unit in the last place of up to 2e4
      shares!.forEach((share, i) => expect(Math.abs(Math.exp(logs![i]!) - share)).toBeLessThan(2e4 * 2 ** -50));
    }),
  );
});

test("Hardmax marks the first of equal elements", () => {
  const [y] = checkOperator("Hardmax", [Tensor.from("float32", [3], [1, 2, 2])]);
  expect(Array.from(y!.numbers())).toEqual([0, 1, 0]);
});
