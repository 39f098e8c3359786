import { describe, expect, test } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { Tensor } from "../../tensor/index.js";
import { bindEquation, parseEquation } from "./einsum-equation.js";

const filled = (...shape: number[]): Tensor =>
  Tensor.from(
    "float64",
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 5) % 13) - 6),
  );
const einsum = (equation: string, ...inputs: Tensor[]): Tensor => checkOperator("Einsum", inputs, { equation })[0]!;
const result = (x: Tensor): unknown => [x.shape, Array.from(x.numbers(), (v) => v + 0)];

describe("Einsum agrees with", () => {
  test("MatMul", () => {
    const [a, b] = [filled(5, 1, 2, 3), filled(4, 3, 2)];
    expect(result(einsum("...ij,...jk->...ik", a, b))).toEqual(result(checkOperator("MatMul", [a, b])[0]!));
    const [c, d] = [filled(2, 3), filled(3, 4)];
    expect(result(einsum("ij, jk", c, d))).toEqual(result(checkOperator("MatMul", [c, d])[0]!));
  });

  test("Transpose", () => {
    const x = filled(2, 3, 4);
    const moved = checkOperator("Transpose", [x], { perm: [2, 0, 1] })[0]!;
    expect(result(einsum("abc->cab", x))).toEqual(result(moved));
    expect(result(einsum("bca", x))).toEqual(result(moved)); // the implicit output is in alphabetical order
  });

  test("ReduceSum", () => {
    const x = filled(2, 3, 4);
    const axes = Tensor.from("int64", [2], [0, 2]);
    expect(result(einsum("abc->b", x))).toEqual(result(checkOperator("ReduceSum", [x, axes], { keepdims: 0 })[0]!));
    expect(result(einsum("...b->b", x).reshape([1, 1, 4]))).toEqual(
      result(checkOperator("ReduceSum", [x, Tensor.from("int64", [2], [0, 1])])[0]!),
    );
  });

  test("Mul, of an outer product and of equal labels", () => {
    const [a, b] = [filled(3), filled(4)];
    expect(result(einsum("i,j->ij", a, b))).toEqual(result(checkOperator("Mul", [a.reshape([3, 1]), b])[0]!));
    expect(result(einsum("i,i,i->i", a, a, a))).toEqual(
      result(checkOperator("Mul", [a, checkOperator("Mul", [a, a])[0]!])[0]!),
    );
  });
});

test("a repeated label walks the diagonal", () => {
  const x = Tensor.from("float64", [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
  expect(result(einsum("...ii->...i", x))).toEqual([
    [2, 2],
    [1, 4, 5, 8],
  ]);
  expect(result(einsum("iii", x))).toEqual([[], [9]]);
});

test("an empty sum is 0 and an ellipsis may stand for nothing", () => {
  expect(result(einsum("ij->i", filled(2, 0)))).toEqual([[2], [0, 0]]);
  expect(result(einsum("...i,...i->...", filled(3), filled(3)))).toEqual(result(einsum("i,i->", filled(3), filled(3))));
});

test("int64 is exact", () => {
  const x = new Tensor("int64", [2], BigInt64Array.of(2n ** 30n + 1n, 1n));
  expect(einsum("i,i", x, x).bigints()[0]).toBe((2n ** 30n + 1n) ** 2n + 1n);
});

test("names of dimensions are carried over", () => {
  const bound = bindEquation(parseEquation("bij,bjk->bik"), [
    ["batch", "m", 4],
    [1, "k", "n"],
  ]);
  expect(bound.output.map((label) => bound.dims.get(label))).toEqual(["batch", "m", "n"]);
  expect(bound.dims.get("j")).toBe(4);
  expect(bound.summed).toEqual(["j"]);
});

test.each(["ij->k", "ij->ii", "i->j->k", "i1", "i..j", "......", "i,.j"])("'%s' is malformed", (equation) => {
  expect(() => parseEquation(equation)).toThrow(/field 'equation'/);
});

test.each([
  ["ij", [2]],
  ["i", [2, 3]],
  ["ii", [2, 3]],
  ["...ij", [2]],
])("'%s' does not fit [%s]", (equation, shape) => {
  expect(() => einsum(equation, filled(...shape))).toThrow();
});

test("the operands must be as many as the equation's terms", () => {
  expect(() => einsum("i,i", filled(2))).toThrow(/2 operands, the node 1/);
});
