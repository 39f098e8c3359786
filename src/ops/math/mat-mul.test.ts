import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { type DataType, Tensor } from "../../tensor/index.js";

/** Small integers, so that sums are exact in every dtype and in any order. */
const filled = (dtype: DataType, shape: readonly number[]): Tensor =>
  Tensor.from(
    dtype,
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7) % 11) - 5),
  );

const numbers = (tensors: readonly Tensor[]): number[] => Array.from(tensors[0]!.numbers());
const side = fc.integer({ min: 0, max: 4 });
const dtypes = fc.constantFrom<DataType>("float32", "float16", "float64", "int32", "int64");

/** The product of two matrices, by its definition. */
function product(a: readonly number[], b: readonly number[], m: number, k: number, n: number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return Array.from({ length: k }, (_, p) => a[i * k + p]! * b[p * n + j]!).reduce((x, y) => x + y, 0);
  });
}

describe("MatMul", () => {
  test("of two matrices is their product", () => {
    fc.assert(
      fc.property(side, side, side, dtypes, (m, k, n, dtype) => {
        const [a, b] = [filled(dtype, [m, k]), filled(dtype, [k, n])];
        const [y] = checkOperator("MatMul", [a, b]);
        expect(y!.shape).toEqual([m, n]);
        expect(numbers([y!])).toEqual(product([...a.numbers()], [...b.numbers()], m, k, n).map((v) => v + 0));
      }),
    );
  });

  test("broadcasts the leading axes", () => {
    const [a, b] = [filled("float32", [2, 1, 3, 4]), filled("float32", [5, 4, 2])];
    const [y] = checkOperator("MatMul", [a, b]);
    expect(y!.shape).toEqual([2, 5, 3, 2]);
    const values = numbers([y!]);
    for (let i = 0; i < 2; i++) {
      for (let j = 0; j < 5; j++) {
        const left = [...a.numbers()].slice(i * 12, (i + 1) * 12);
        const right = [...b.numbers()].slice(j * 8, (j + 1) * 8);
        const at = (i * 5 + j) * 6;
        expect(values.slice(at, at + 6)).toEqual(product(left, right, 3, 4, 2));
      }
    }
  });

  test.each([
    [[4], [4], []],
    [[4], [4, 2], [2]],
    [[3, 4], [4], [3]],
    [[4], [5, 4, 2], [5, 2]],
    [[5, 3, 4], [4], [5, 3]],
    [
      [0, 3, 4],
      [4, 2],
      [0, 3, 2],
    ],
  ])("[%s] times [%s] is [%s]", (a, b, shape) => {
    expect(checkOperator("MatMul", [filled("float32", a), filled("float32", b)])[0]!.shape).toEqual(shape);
  });

  test("accumulates in double and rounds once", () => {
    const a = Tensor.from("float16", [1, 3], [2048, 1, 1]);
    expect(numbers(checkOperator("MatMul", [a, Tensor.from("float16", [3, 1], [1, 1, 1])]))).toEqual([2050]);
  });

  test("wraps integers", () => {
    const a = Tensor.from("int32", [1, 2], [2147483647, 2147483647]);
    expect(numbers(checkOperator("MatMul", [a, a.reshape([2, 1])]))).toEqual([2]);
  });

  test.each([
    [
      [2, 3],
      [2, 3],
    ],
    [[], [2]],
    [
      [2, 2, 3],
      [3, 3, 2],
    ],
  ])("refuses [%s] times [%s]", (a, b) => {
    expect(() => checkOperator("MatMul", [filled("float32", a), filled("float32", b)])).toThrow();
  });
});

describe("Gemm", () => {
  const biases = (m: number, n: number): readonly (readonly number[] | null)[] => [
    null,
    [],
    [n],
    [1, n],
    [m, 1],
    [m, n],
  ];

  test("is alpha · A · B + beta · C, whichever of A and B lie transposed", () => {
    fc.assert(
      fc.property(side, side, side, fc.boolean(), fc.boolean(), fc.nat(5), (m, k, n, transA, transB, which) => {
        const [a, b] = [filled("float32", transA ? [k, m] : [m, k]), filled("float32", transB ? [n, k] : [k, n])];
        const shape = biases(m, n)[which]!;
        const c = shape && filled("float32", shape);
        const attributes = { alpha: 0.5, beta: 0.25, transA: transA ? 1 : 0, transB: transB ? 1 : 0 };
        const y = numbers(checkOperator("Gemm", [a, b, c], attributes));
        const left = Array.from({ length: m * k }, (_, at) => {
          const [i, p] = [Math.floor(at / k), at % k];
          return a.numbers()[transA ? p * m + i : at]!;
        });
        const right = Array.from({ length: k * n }, (_, at) => {
          const [p, j] = [Math.floor(at / n), at % n];
          return b.numbers()[transB ? j * k + p : at]!;
        });
        const biased = product(left, right, m, k, n).map((v, at) => {
          const [i, j] = [Math.floor(at / n), at % n];
          const [rows, columns] = shape === null ? [0, 0] : [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
          const bias = c ? c.numbers()[(rows === 1 ? 0 : i * columns) + (columns === 1 ? 0 : j)]! : 0;
          return 0.5 * v + 0.25 * bias;
        });
        expect(y.map((v) => v + 0)).toEqual(biased.map((v) => v + 0));
      }),
    );
  });

  test("is exact for integers", () => {
    const big = new Tensor("int64", [1, 1], BigInt64Array.of(2n ** 31n + 1n));
    const c = new Tensor("int64", [], BigInt64Array.of(5n));
    expect(checkOperator("Gemm", [big, big, c])[0]!.bigints()[0]).toBe((2n ** 31n + 1n) ** 2n + 5n);
  });

  test("refuses a C that is larger than the product, and what is no matrix", () => {
    const [a, b] = [filled("float32", [2, 3]), filled("float32", [3, 1])];
    expect(() => checkOperator("Gemm", [a, b, filled("float32", [2, 4])])).toThrow(/does not broadcast/);
    expect(() => checkOperator("Gemm", [a, b, filled("float32", [1, 2, 1])])).toThrow(/does not broadcast/);
    expect(() => checkOperator("Gemm", [filled("float32", [3]), b])).toThrow(/expected a matrix/);
  });
});

describe("Det", () => {
  test("of a product is the product of the determinants", () => {
    const entries = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 18, maxLength: 18 });
    fc.assert(
      fc.property(entries, (list) => {
        const [a, b] = [list.slice(0, 9), list.slice(9)].map((half) => Tensor.from("float64", [3, 3], half));
        const [ab] = checkOperator("MatMul", [a!, b!]);
        const [detA, detB, detAB] = [a!, b!, ab!].map((x) => checkOperator("Det", [x])[0]!.item());
        // Determinants below 400 each, with a few dozen roundings of numbers below 1e5.
        expect(Math.abs(detA! * detB! - detAB!)).toBeLessThan(1e5 * 64 * 2 ** -52 * 100);
      }),
    );
  });

  test("keeps the leading axes; swapped rows change the sign", () => {
    const [y] = checkOperator("Det", [Tensor.from("float32", [3, 2, 2], [1, 2, 3, 4, 0, 1, 1, 0, 2, 4, 1, 2])]);
    expect(y!.shape).toEqual([3]);
    expect(numbers([y!])).toEqual([-2, -1, 0]);
    expect(checkOperator("Det", [Tensor.zeros("float32", [0, 0])])[0]!.item()).toBe(1);
    expect(() => checkOperator("Det", [Tensor.zeros("float32", [2, 3])])).toThrow(/differ/);
  });
});
