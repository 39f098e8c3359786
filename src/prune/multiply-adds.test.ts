import { expect, test } from "vitest";
import { modelOf, noise, perceptron } from "../../test/support/small-models.js";
import { type Dim, GraphBuilder, type Value } from "../graph/index.js";
import { multiplyAddsOf } from "./index.js";

const count = (
  shape: readonly Dim[],
  body: (b: GraphBuilder, x: Value, w: (shape: number[]) => Value) => Value,
  dims = {},
) => {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", shape);
  b.output(
    body(b, x, (of) => b.constant(noise(of, 1), "w")),
    "y",
  );
  return [...multiplyAddsOf(modelOf(b.build()), new Map(Object.entries(dims))).values()];
};

test.each<[string, number | null, (number | null)[]]>([
  ["MatMul, right", 5 * 16 * 3, count([5, 16], (b, x, w) => b.add("MatMul", [x, w([16, 3])]))],
  ["MatMul, left", 3 * 16 * 5, count([16, 5], (b, x, w) => b.add("MatMul", [w([3, 16]), x]))],
  ["MatMul in batches", 2 * 5 * 16 * 3, count([2, 5, 16], (b, x, w) => b.add("MatMul", [x, w([16, 3])]))],
  ["Gemm", 5 * 16 * 3, count([5, 16], (b, x, w) => b.add("Gemm", [x, w([3, 16])], { transB: 1 }))],
  ["Conv", 8 * (4 * 9) * (6 * 6), count([1, 4, 8, 8], (b, x, w) => b.add("Conv", [x, w([8, 4, 3, 3])]))],
  ["Conv in groups", 8 * (2 * 3) * 6, count([1, 4, 8], (b, x, w) => b.add("Conv", [x, w([8, 2, 3])], { group: 2 }))],
  ["a look-up", 0, count([2], (b, x, w) => b.add("Gather", [w([10, 4]), b.add("Cast", [x], { to: 7 })]))],
  [
    "twice the same weight",
    2 * 5 * 9,
    count([5, 3], (b, x, w) => {
      const shared = w([3, 3]);
      return b.add("MatMul", [b.add("MatMul", [x, shared]), shared]);
    }),
  ],
  [
    "behind a shape that only a run tells",
    null,
    count([5, 16], (b, x, w) => {
      const some = b.add("Compress", [x, b.input("keep", "bool", [5])], { axis: 0 });
      return b.add("MatMul", [some, w([16, 3])]);
    }),
  ],
])("%s", (_, expected, counted) => {
  expect(counted).toEqual([expected]);
});

test("named dimensions are 1 unless given", () => {
  const totals = (dims: Record<string, number>) => [
    ...multiplyAddsOf(perceptron(), new Map(Object.entries(dims))).values(),
  ];
  expect(totals({})).toEqual([512, 256]);
  expect(totals({ n: 7, m: 3 })).toEqual([7 * 512, 7 * 256]);
});
