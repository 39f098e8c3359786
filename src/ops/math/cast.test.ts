import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { type DataType, Tensor } from "../../tensor/index.js";
import { codeOfDtype } from "../onnx-dtype.js";

const cast = (x: Tensor, to: DataType): Tensor => checkOperator("Cast", [x], { to: codeOfDtype(to) })[0]!;
const list = (dtype: DataType, ...values: number[]): Tensor => Tensor.from(dtype, [values.length], values);
const words = (...texts: string[]): Tensor => new Tensor("string", [texts.length], texts);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

test("floats truncate toward zero to integers, and are true unless 0", () => {
  const x = list("float32", 1.9, -1.9, 0.5, -0, 0, nan);
  expect(Array.from(cast(x, "int32").numbers())).toEqual([1, -1, 0, 0, 0, 0]);
  expect(Array.from(cast(x, "int64").bigints())).toEqual([1n, -1n, 0n, 0n, 0n, 0n]);
  expect(Array.from(cast(x, "bool").numbers())).toEqual([1, 1, 1, 0, 0, 1]);
});

test("integers keep their low bits", () => {
  expect(Array.from(cast(list("int16", 200, -1), "int8").numbers())).toEqual([-56, -1]);
  const big = new Tensor("int64", [2], BigInt64Array.of(2n ** 60n + 5n, -(2n ** 55n) - 1n));
  expect(Array.from(cast(big, "int32").numbers())).toEqual([5, -1]);
  expect(Array.from(cast(big, "uint64").bigints())).toEqual([2n ** 60n + 5n, 2n ** 64n - 2n ** 55n - 1n]);
  expect(Array.from(cast(list("int8", -7, 20), "uint4").numbers())).toEqual([9, 4]);
});

test("floats saturate and round to even in int4 and uint4", () => {
  const x = list("float32", -9, -2.5, 1.5, 2.5, 7.6, 16);
  expect(Array.from(cast(x, "int4").numbers())).toEqual([-8, -2, 2, 2, 7, 7]);
  expect(Array.from(cast(x, "uint4").numbers())).toEqual([0, 0, 2, 2, 8, 15]);
});

test("doubles round once to float16", () => {
  const justAboveHalfway = 1 + 2 ** -11 + 2 ** -40; // float32 would round it to halfway, and that to 1
  expect(cast(list("float64", justAboveHalfway), "float16").numbers()[0]).toBe(1 + 2 ** -10);
});

test("int64 rounds once to float32", () => {
  const nearHalfway = [
    2n ** 60n + 2n ** 36n,
    2n ** 60n + 2n ** 36n + 1n,
    -(2n ** 60n) - 2n ** 36n - 1n,
    2n ** 53n - 1n,
  ];
  const x = new Tensor("int64", [4], BigInt64Array.from(nearHalfway));
  expect(Array.from(cast(x, "float32").numbers())).toEqual([2 ** 60, 2 ** 60 + 2 ** 37, -(2 ** 60) - 2 ** 37, 2 ** 53]);
});

describe("strings", () => {
  test("numbers are read in plain or scientific notation, with INF and NaN in any case", () => {
    const x = words("3.14", "1000", "1e-5", "1E8", "-.5", "+INF", "inf", "-Inf", "nan");
    expect(Array.from(cast(x, "float64").numbers())).toEqual([3.14, 1000, 1e-5, 1e8, -0.5, inf, inf, -inf, nan]);
    expect(Array.from(cast(words("9223372036854775807", "-12", "100.5"), "int64").bigints())).toEqual([
      2n ** 63n - 1n,
      -12n,
      100n,
    ]);
    expect(Array.from(cast(words("True", "0", "1"), "bool").numbers())).toEqual([1, 0, 1]);
  });

  test.each(["", "abc", "0x10", "1e", "1_000"])("'%s' is no number", (text) => {
    expect(() => cast(words(text), "float32")).toThrow(/is not a number/);
  });

  test("numbers are written as Python writes them", () => {
    const x = list("float32", 1, 0.1, 1e-5, 123456.789, 1e16, 2 ** 50, -0, nan, -inf);
    expect(cast(x, "string").strings()).toEqual([
      "1.0",
      "0.1",
      "1e-05",
      "123456.79",
      "1e+16",
      "1125899900000000.0",
      "-0.0",
      "nan",
      "-inf",
    ]);
    expect(cast(list("float16", 0.1), "string").strings()).toEqual(["0.1"]);
    expect(cast(list("bool", 0, 1), "string").strings()).toEqual(["False", "True"]);
    expect(cast(new Tensor("uint64", [1], BigUint64Array.of(2n ** 64n - 1n)), "string").strings()).toEqual([
      "18446744073709551615",
    ]);
  });

  test("floats come back the same", () => {
    fc.assert(
      fc.property(fc.float(), fc.double(), (single, double) => {
        const [x, y] = [list("float32", single), list("float64", double)];
        expect(cast(cast(x, "string"), "float32").numbers()).toEqual(x.numbers());
        expect(cast(cast(y, "string"), "float64").numbers()).toEqual(y.numbers());
      }),
    );
  });
});

test("CastLike takes the dtype of its second input", () => {
  const [y] = checkOperator("CastLike", [list("float32", 2.5), list("int8", 0)]);
  expect([y!.dtype, ...y!.numbers()]).toEqual(["int8", 2]);
});

test("float8 is refused by name of the attribute", () => {
  expect(() => checkOperator("Cast", [list("float32", 1)], { to: 17 })).toThrow(/field 'to': element type 17/);
});
