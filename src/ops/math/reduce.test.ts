import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { type DataType, forEachIndex, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";

const axesOf = (...axes: number[]): Tensor => Tensor.from("int64", [axes.length], axes);
const numbers = (tensors: readonly Tensor[]): number[] => Array.from(tensors[0]!.numbers());
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

const OF_LIST: Readonly<Record<string, (list: readonly number[]) => number>> = {
  ReduceSum: (list) => list.reduce((a, b) => a + b, 0),
  ReduceMean: (list) => list.reduce((a, b) => a + b, 0) / list.length,
  ReduceProd: (list) => list.reduce((a, b) => a * b, 1),
  ReduceMax: (list) => Math.max(...list),
  ReduceMin: (list) => Math.min(...list),
  ReduceL1: (list) => list.reduce((a, b) => a + Math.abs(b), 0),
  ReduceL2: (list) => Math.hypot(...list),
  ReduceSumSquare: (list) => list.reduce((a, b) => a + b * b, 0),
  ReduceLogSum: (list) => Math.log(list.reduce((a, b) => a + b, 0)),
  ReduceLogSumExp: (list) => Math.log(list.reduce((a, b) => a + Math.exp(b), 0)),
};

const cases = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    axes: fc.subarray(shape.map((_, axis) => axis)).filter((axes) => axes.length > 0 || shape.length === 0),
    values: fc.array(fc.double({ min: 0.25, max: 4, noNaN: true }), { minLength: 81, maxLength: 81 }),
    keepDims: fc.boolean(),
  }),
);

/** The lists that reduce to each result, found by the coordinates of every element. */
function groupsOf(shape: readonly number[], axes: readonly number[], values: readonly number[]): number[][] {
  const kept = shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const groups = Array.from({ length: sizeOf(kept) }, (): number[] => []);
  forEachIndex(shape, [strides], ([group], flat) => groups[group!]!.push(values[flat]!));
  return groups;
}

test.each(Object.keys(OF_LIST))("%s reduces the elements that share their other coordinates", (op) => {
  fc.assert(
    fc.property(cases, ({ shape, axes, values, keepDims }) => {
      const x = Tensor.from("float64", shape, values.slice(0, sizeOf(shape)));
      const expected = groupsOf(shape, axes.length > 0 ? axes : [], values).map(OF_LIST[op]!);
      const actual = checkOperator(op, [x, axesOf(...axes)], { keepdims: keepDims ? 1 : 0 });
      const result = numbers(actual);
      expect(result).toHaveLength(expected.length);
      // At most 81 roundings of intermediate results up to 4^81, where only the product grows so: all relative.
      result.forEach((v, i) => {
        if (Number.isFinite(expected[i]))
          expect(Math.abs(v - expected[i]!)).toBeLessThanOrEqual(200 * 2 ** -52 * (1 + Math.abs(v)));
        else expect(v).toBe(expected[i]);
      });
    }),
    { numRuns: 50 },
  );
});

describe("axes", () => {
  const x = Tensor.from("float32", [2, 3], [1, 2, 3, 4, 5, 6]);

  test("are an attribute before ReduceSum-13 and the others' -18, an input from then on", () => {
    expect(numbers(checkOperator("ReduceSum", [x], { axes: [0] }, { version: 11 }))).toEqual([5, 7, 9]);
    expect(numbers(checkOperator("ReduceSum", [x, axesOf(0)], {}, { version: 13 }))).toEqual([5, 7, 9]);
    expect(numbers(checkOperator("ReduceMax", [x], { axes: [-1] }, { version: 17 }))).toEqual([3, 6]);
    expect(numbers(checkOperator("ReduceMax", [x, axesOf(-1)], {}, { version: 18 }))).toEqual([3, 6]);
  });

  test("are all when there are none, unless noop_with_empty_axes says that each element is alone", () => {
    for (const inputs of [[x], [x, axesOf()], [x, null]]) {
      const [all] = checkOperator("ReduceSumSquare", inputs);
      expect([all!.shape, all!.item()]).toEqual([[1, 1], 91]);
      const [alone] = checkOperator("ReduceSumSquare", inputs, { noop_with_empty_axes: 1, keepdims: 0 });
      expect([alone!.shape, [...alone!.numbers()]]).toEqual([
        [2, 3],
        [1, 4, 9, 16, 25, 36],
      ]);
    }
  });

  test("may not repeat or leave the rank", () => {
    expect(() => checkOperator("ReduceSum", [x, axesOf(1, -1)])).toThrow(/repeat/);
    expect(() => checkOperator("ReduceSum", [x, axesOf(2)])).toThrow(/outside/);
  });
});

test.each([
  ["ReduceSum", 0],
  ["ReduceProd", 1],
  ["ReduceMean", nan],
  ["ReduceMax", -inf],
  ["ReduceMin", inf],
  ["ReduceL2", 0],
  ["ReduceLogSum", -inf],
  ["ReduceLogSumExp", -inf],
])("%s of no elements is %d", (op, expected) => {
  expect(numbers(checkOperator(op, [Tensor.zeros("float32", [2, 0]), axesOf(1)]))).toEqual([expected, expected]);
});

test("ReduceMax and ReduceMin of no integers are the ends of the dtype", () => {
  const ends = (dtype: DataType): number[] =>
    ["ReduceMax", "ReduceMin"].map((op) => checkOperator(op, [Tensor.zeros(dtype, [0]), axesOf(0)])[0]!.item());
  expect(ends("int8")).toEqual([-128, 127]);
  expect(ends("uint8")).toEqual([0, 255]);
  expect(ends("uint32")).toEqual([0, 2 ** 32 - 1]);
  expect(ends("int64")).toEqual([-(2 ** 63), 2 ** 63]); // as doubles
  expect(ends("bool")).toEqual([0, 1]);
});

test("integers are exact and wrap", () => {
  const big = new Tensor("int64", [3], BigInt64Array.of(2n ** 60n, 1n, 2n ** 62n));
  expect(checkOperator("ReduceSum", [big])[0]!.bigints()[0]).toBe(2n ** 60n + 2n ** 62n + 1n);
  expect(checkOperator("ReduceMax", [big])[0]!.bigints()[0]).toBe(2n ** 62n);
  expect(checkOperator("ReduceProd", [big])[0]!.bigints()[0]).toBe(0n);
  const wide = Tensor.from("int32", [2], [65537, 65537]);
  expect(numbers(checkOperator("ReduceProd", [wide]))).toEqual([Math.imul(65537, 65537)]);
  expect(numbers(checkOperator("ReduceMean", [Tensor.from("int32", [2], [-1, -2])]))).toEqual([-1]);
});

test("NaN reaches ReduceMax and ReduceMin, and ReduceLogSumExp neither overflows nor loses infinities", () => {
  const x = Tensor.from("float32", [3], [1, nan, 2]);
  expect(numbers(checkOperator("ReduceMax", [x]))).toEqual([nan]);
  expect(numbers(checkOperator("ReduceMin", [x]))).toEqual([nan]);
  const logSumExp = (...list: number[]): number =>
    checkOperator("ReduceLogSumExp", [Tensor.from("float64", [list.length], list)])[0]!.item();
  expect(logSumExp(1000, 1000)).toBeCloseTo(1000 + Math.LN2, 12);
  expect(logSumExp(-inf, -inf)).toBe(-inf);
  expect(logSumExp(inf, 0)).toBe(inf);
  expect(logSumExp(nan, 0)).toBeNaN();
});

describe("ArgMax and ArgMin", () => {
  const x = Tensor.from("float32", [2, 3], [2, 7, 7, 1, 1, 3]);

  test("take the first of equal elements, or the last", () => {
    expect(numbers(checkOperator("ArgMax", [x], { axis: 1 }))).toEqual([1, 2]);
    expect(numbers(checkOperator("ArgMax", [x], { axis: 1, select_last_index: 1 }))).toEqual([2, 2]);
    expect(numbers(checkOperator("ArgMin", [x], { axis: -1, select_last_index: 1, keepdims: 0 }))).toEqual([0, 1]);
    expect(numbers(checkOperator("ArgMin", [x]))).toEqual([1, 1, 1]);
  });

  test("refuse an axis without elements", () => {
    expect(() => checkOperator("ArgMax", [Tensor.zeros("float32", [2, 0])], { axis: 1 })).toThrow(/no elements/);
  });
});

test("CumSum runs from either end, with or without the element itself", () => {
  const x = Tensor.from("int32", [2, 3], [1, 2, 3, 4, 5, 6]);
  const sums = (attributes: Record<string, number>, axis: number): number[] =>
    numbers(checkOperator("CumSum", [x, Tensor.scalar("int32", axis)], attributes));
  expect(sums({}, 1)).toEqual([1, 3, 6, 4, 9, 15]);
  expect(sums({}, -2)).toEqual([1, 2, 3, 5, 7, 9]);
  expect(sums({ exclusive: 1 }, 1)).toEqual([0, 1, 3, 0, 4, 9]);
  expect(sums({ reverse: 1 }, 1)).toEqual([6, 5, 3, 15, 11, 6]);
  expect(sums({ reverse: 1, exclusive: 1 }, 1)).toEqual([5, 3, 0, 11, 6, 0]);
  const big = new Tensor("int64", [2], BigInt64Array.of(2n ** 60n, 1n));
  expect(checkOperator("CumSum", [big, Tensor.scalar("int64", 0)])[0]!.bigints()[1]).toBe(2n ** 60n + 1n);
});
