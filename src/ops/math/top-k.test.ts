import fc from "fast-check";
import { expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { Tensor } from "../../tensor/index.js";

const { NaN: nan } = Number;

function topK(x: Tensor, k: number, attributes: Record<string, number> = {}): [number[], number[], readonly number[]] {
  const inputs = [x, Tensor.from("int64", [1], [k])];
  const [values, indices] = checkOperator("TopK", inputs, attributes, { outputs: 2 });
  return [Array.from(values!.numbers()), Array.from(indices!.numbers()), values!.shape];
}

test("the best k of a sorted list, of equal ones the first", () => {
  const lists = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(lists, fc.nat(9), fc.boolean(), (list, count, largest) => {
      const k = Math.min(count, list.length);
      const [values, indices] = topK(Tensor.from("int32", [list.length], list), k, { largest: largest ? 1 : 0 });
      const sorted = list.map((value, index) => ({ value, index })).sort((a, b) => a.value - b.value);
      if (largest) sorted.sort((a, b) => b.value - a.value || a.index - b.index);
      expect(values).toEqual(sorted.slice(0, k).map((entry) => entry.value));
      expect(indices).toEqual(sorted.slice(0, k).map((entry) => entry.index));
    }),
  );
});

test("along any axis", () => {
  const x = Tensor.from("float32", [2, 3, 2], [0, 11, 2, 9, 4, 7, 6, 5, 8, 3, 10, 1]);
  expect(topK(x, 2, { axis: 1 })).toEqual([
    [4, 11, 2, 9, 10, 5, 8, 3],
    [2, 0, 1, 1, 2, 0, 1, 1],
    [2, 2, 2],
  ]);
  expect(topK(x, 1, { axis: -3, largest: 0 })[0]).toEqual([0, 5, 2, 3, 4, 1]);
});

test("NaN is the largest, and int64 is compared exactly", () => {
  expect(topK(Tensor.from("float32", [3], [1, nan, 3]), 2).slice(0, 2)).toEqual([
    [nan, 3],
    [1, 2],
  ]);
  expect(topK(Tensor.from("float32", [3], [1, nan, 3]), 2, { largest: 0 })[1]).toEqual([0, 2]);
  const big = new Tensor("int64", [2], BigInt64Array.of(2n ** 60n, 2n ** 60n + 1n));
  expect(topK(big, 1)[1]).toEqual([1]);
});

test("k is an attribute before opset 10", () => {
  const x = Tensor.from("float32", [3], [1, 3, 2]);
  const [values] = checkOperator("TopK", [x], { k: 2 }, { version: 1, outputs: 2 });
  expect(Array.from(values!.numbers())).toEqual([3, 2]);
});

test("k must fit the axis", () => {
  expect(() => topK(Tensor.zeros("float32", [3]), 4)).toThrow(/k is 4, of an axis with 3 elements/);
  expect(() => topK(Tensor.zeros("float32", [3]), -1)).toThrow(/k is -1/);
});
