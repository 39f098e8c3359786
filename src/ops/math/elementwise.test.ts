import { describe, expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { type DataType, NonzeroError, Tensor } from "../../tensor/index.js";

const list = (dtype: DataType, ...values: number[]): Tensor => Tensor.from(dtype, [values.length], values);
const int64 = (...values: bigint[]): Tensor => new Tensor("int64", [values.length], BigInt64Array.from(values));
const numbers = (tensors: readonly Tensor[]): number[] => Array.from(tensors[0]!.numbers());
const bigints = (tensors: readonly Tensor[]): bigint[] => Array.from(tensors[0]!.bigints());
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe("integers", () => {
  test("Mul of int32 wraps exactly", () => {
    const product = checkOperator("Mul", [list("int32", 2147483647, 123456789), list("int32", 2147483647, 987654321)]);
    expect(numbers(product)).toEqual([1, -67153019]);
  });

  test("Div truncates toward zero, and by zero is 0", () => {
    expect(numbers(checkOperator("Div", [list("int32", -7, 7, 5), list("int32", 2, -2, 0)]))).toEqual([-3, -3, 0]);
    expect(bigints(checkOperator("Div", [int64(-7n, 5n), int64(2n, 0n)]))).toEqual([-3n, 0n]);
  });

  test("Mod takes the divisor's sign, or with fmod the dividend's", () => {
    const [a, b] = [list("int32", -4, 7, 5, 4, -7, 8), list("int32", 2, -3, 8, -2, 3, 5)];
    expect(numbers(checkOperator("Mod", [a, b]))).toEqual([0, -2, 5, 0, 2, 3]);
    expect(numbers(checkOperator("Mod", [a, b], { fmod: 1 }))).toEqual([-0, 1, 5, 0, -1, 3].map((v) => v + 0));
    expect(bigints(checkOperator("Mod", [int64(-7n, 7n), int64(3n, -3n)]))).toEqual([2n, -2n]);
    expect(bigints(checkOperator("Mod", [int64(-7n, 7n), int64(3n, -3n)], { fmod: 1 }))).toEqual([-1n, 1n]);
  });

  test("Pow is exact, wraps, and truncates negative exponents", () => {
    expect(bigints(checkOperator("Pow", [int64(3n, 2n, 7n), int64(39n, 64n, 0n)]))).toEqual([3n ** 39n, 0n, 1n]);
    expect(bigints(checkOperator("Pow", [int64(2n, 1n, -1n, -1n), int64(-1n, -5n, -5n, -4n)]))).toEqual([
      0n,
      1n,
      -1n,
      1n,
    ]);
    expect(numbers(checkOperator("Pow", [list("int32", 3), list("int64", 21)]))).toEqual([Math.imul(3 ** 11, 3 ** 10)]);
    expect(numbers(checkOperator("Pow", [list("int32", 2, 9), list("float32", 0.5, 0.5)]))).toEqual([1, 3]);
  });

  test("BitShift drops bits beyond the width, and all of them from the width on", () => {
    const shift = (dtype: DataType, direction: string, x: number, bits: number): number[] =>
      numbers(checkOperator("BitShift", [list(dtype, x), list(dtype, bits)], { direction }));
    expect(shift("uint8", "LEFT", 0b11000001, 1)).toEqual([0b10000010]);
    expect(shift("uint32", "LEFT", 0xffffffff, 4)).toEqual([0xfffffff0]);
    expect(shift("uint32", "RIGHT", 0xffffffff, 31)).toEqual([1]);
    expect(shift("uint32", "RIGHT", 5, 40)).toEqual([0]);
    expect(shift("uint64", "LEFT", 1, 63)).toEqual([2 ** 63]);
    expect(shift("uint64", "LEFT", 1, 64)).toEqual([0]);
  });

  test("bitwise operators see the bits of every width", () => {
    expect(numbers(checkOperator("BitwiseNot", [list("uint8", 0, 5)]))).toEqual([255, 250]);
    expect(numbers(checkOperator("BitwiseOr", [list("uint32", 2 ** 31), list("uint32", 1)]))).toEqual([2 ** 31 + 1]);
    expect(numbers(checkOperator("BitwiseXor", [list("int16", -1), list("int16", 1)]))).toEqual([-2]);
  });

  test("Max, Min and Clip of int64 keep what a double can't", () => {
    const big = 2n ** 60n;
    expect(bigints(checkOperator("Max", [int64(big), int64(big + 1n)]))).toEqual([big + 1n]);
    expect(bigints(checkOperator("Min", [int64(big + 1n), int64(big)]))).toEqual([big]);
    const high = new Tensor("int64", [], BigInt64Array.of(big + 1n));
    expect(bigints(checkOperator("Clip", [int64(big + 2n, 3n), null, high]))).toEqual([big + 1n, 3n]);
  });
});

describe("NaN and infinity", () => {
  test("Max, Min, Clip and Relu pass NaN on", () => {
    expect(numbers(checkOperator("Max", [list("float32", nan, 1), list("float32", 2, nan)]))).toEqual([nan, nan]);
    expect(numbers(checkOperator("Min", [list("float32", nan, 1), list("float32", 2, nan)]))).toEqual([nan, nan]);
    expect(numbers(checkOperator("Clip", [list("float32", nan), Tensor.scalar("float32", 0)]))).toEqual([nan]);
    expect(numbers(checkOperator("Relu", [list("float32", nan, -1)]))).toEqual([nan, 0]);
  });

  test("Pow follows IEEE 754 where ECMAScript does not", () => {
    const power = checkOperator("Pow", [list("float32", 1, -1, 1), list("float32", nan, inf, -inf)]);
    expect(numbers(power)).toEqual([1, 1, 1]);
  });

  test("IsInf looks for the signs it is told to", () => {
    const x = list("float32", inf, -inf, nan, 1);
    expect(numbers(checkOperator("IsInf", [x]))).toEqual([1, 1, 0, 0]);
    expect(numbers(checkOperator("IsInf", [x], { detect_negative: 0 }))).toEqual([1, 0, 0, 0]);
    expect(numbers(checkOperator("IsInf", [x], { detect_positive: 0 }))).toEqual([0, 1, 0, 0]);
    expect(numbers(checkOperator("IsNaN", [x]))).toEqual([0, 0, 1, 0]);
  });

  test("Gelu does not lose the tail of negative inputs", () => {
    const [y] = numbers(checkOperator("Gelu", [list("float64", -10)]));
    expect(Math.abs(y! / (-5 * 1.5239706048321e-23) - 1)).toBeLessThan(1e-12); // erfc(10 / √2) = 1.5239706048321e-23
  });
});

test("Clip's bounds are attributes before opset 11 and inputs from it on", () => {
  const x = list("float32", -2, 0, 2);
  const bounds = { min: { kind: "float", value: -1 }, max: { kind: "float", value: 1 } } as const;
  expect(numbers(checkOperator("Clip", [x], bounds, { version: 6 }))).toEqual([-1, 0, 1]);
  expect(
    numbers(checkOperator("Clip", [x, Tensor.scalar("float32", -1), Tensor.scalar("float32", 1)], {}, { version: 11 })),
  ).toEqual([-1, 0, 1]);
  expect(numbers(checkOperator("Clip", [x, Tensor.scalar("float32", 1), Tensor.scalar("float32", -1)]))).toEqual([
    -1, -1, -1,
  ]);
});

test("Mean adds in double and rounds once", () => {
  const inputs = [65504, 65504, -65504].map((v) => list("float16", v));
  expect(numbers(checkOperator("Mean", inputs))).toEqual([21840]); // 65504 / 3 = 21834.7, where float16 is 16 apart
  expect(numbers(checkOperator("Sum", inputs))).toEqual([65504]);
});

test("Where and Equal take strings, and three shapes broadcast", () => {
  const words = new Tensor("string", [2], ["a", "b"]);
  const which = checkOperator("Equal", [words, new Tensor("string", [1], ["b"])])[0]!;
  expect(numbers([which])).toEqual([0, 1]);
  const chosen = checkOperator("Where", [which.reshape([2, 1]), words, new Tensor("string", [], ["-"])])[0]!;
  expect(chosen.shape).toEqual([2, 2]);
  expect(chosen.strings()).toEqual(["-", "-", "a", "b"]);
});

test("PRelu's slope broadcasts to the input and no further", () => {
  const x = Tensor.from("float32", [2, 2], [-1, 2, -3, 4]);
  expect(numbers(checkOperator("PRelu", [x, list("float32", 0.5, 0.25)]))).toEqual([-0.5, 2, -1.5, 4]);
  expect(() => checkOperator("PRelu", [list("float32", -1), x])).toThrow(/slope does not broadcast/);
});

describe("what does not fit is a typed error", () => {
  const x = list("float32", 1, 2);
  test.each([
    ["a missing input", () => checkOperator("Add", [x]), "invalid-model"],
    ["different dtypes", () => checkOperator("Add", [x, list("int32", 1)]), "shape"],
    ["shapes that do not broadcast", () => checkOperator("Add", [x, list("float32", 1, 2, 3)]), "shape"],
    ["an integer where floats are needed", () => checkOperator("Exp", [list("int32", 1)]), "shape"],
    ["numbers where bools are needed", () => checkOperator("And", [x, x]), "shape"],
    ["no inputs", () => checkOperator("Max", []), "invalid-model"],
    ["an unknown direction", () => checkOperator("BitShift", [x, x], { direction: "UP" }), "invalid-model"],
    ["strings", () => checkOperator("Neg", [new Tensor("string", [1], ["a"])]), "shape"],
  ] as const)("%s", (_, run, code) => {
    expect(run).toThrow(NonzeroError);
    expect(run).toThrow(expect.objectContaining({ code }));
  });
});
