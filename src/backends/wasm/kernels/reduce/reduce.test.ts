import fc from "fast-check";
import { describe, it } from "vitest";
import { checkOperator, randomTensor, type Tolerance } from "../../../../../test/support/check-kernel.js";
import { Tensor } from "../../../../tensor/index.js";
import { reduceKernels } from "./index.js";

const EPSILON = 2 ** -24;
const ints = (values: readonly number[]) => ({ constant: Tensor.from("int64", [values.length], values) });

/** Shapes without zeros, and some of their axes. */
const reductions = fc.array(fc.integer({ min: 1, max: 21 }), { minLength: 1, maxLength: 4 }).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    axes: fc.subarray(
      shape.map((_, axis) => axis),
      { minLength: 1 },
    ),
    keepdims: fc.constantFrom(0, 1),
    seed: fc.nat(),
  }),
);

/** Sums of `count` values up to `bound`: each of the additions may round by half a unit of the largest partial sum. */
const sumError =
  (count: number, bound: number): Tolerance =>
  () =>
    (count + 4) * EPSILON * count * bound;

const tolerances: Readonly<Record<string, (count: number) => Tolerance>> = {
  ReduceSum: (count) => sumError(count, 1),
  ReduceMean: (count) => (wanted) => sumError(count, 1)(wanted) / count + EPSILON,
  ReduceMax: () => () => 0,
  ReduceMin: () => () => 0,
  ReduceL1: (count) => sumError(count, 1),
  ReduceSumSquare: (count) => sumError(count, 1),
  ReduceL2: (count) => (wanted) => (count + 4) * EPSILON * wanted,
  ReduceProd: (count) => (wanted) => (count + 4) * EPSILON * Math.abs(wanted) + 2 ** -126,
};

describe("reductions", () => {
  it.each(Object.keys(tolerances))("%s over any axes", (op) => {
    fc.assert(
      fc.property(reductions, ({ shape, axes, keepdims, seed }) => {
        const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
        const x = randomTensor(shape, seed);
        checkOperator(
          { op, inputs: [x, ints(axes.map((axis) => axis - shape.length))], attributes: { keepdims } },
          reduceKernels,
          "reduce",
          tolerances[op]!(count),
        );
      }),
      { numRuns: 40 },
    );
  });

  it("ReduceLogSum, and axes as attributes or left out", () => {
    const x = Tensor.from(
      "float32",
      [3, 5, 7],
      Array.from(randomTensor([105], 4).numbers(), (v) => 2 + v),
    );
    checkOperator({ op: "ReduceLogSum", inputs: [x, ints([1])] }, reduceKernels, "reduce", () => 8 * EPSILON * 4);
    checkOperator(
      { op: "ReduceMean", version: 13, inputs: [x], attributes: { axes: [-1] } },
      reduceKernels,
      "reduce",
      () => 8 * EPSILON * 3,
    );
    checkOperator({ op: "ReduceSum", inputs: [x] }, reduceKernels, "reduce", sumError(105, 3));
  });

  it("many lines, long lines and wide blocks", () => {
    checkOperator(
      { op: "ReduceSum", inputs: [randomTensor([3000, 33], 1), ints([1])] },
      reduceKernels,
      "reduce",
      sumError(33, 1),
    );
    checkOperator(
      { op: "ReduceSum", inputs: [randomTensor([2, 50001], 2), ints([1])] },
      reduceKernels,
      "reduce",
      sumError(50001, 1),
    );
    checkOperator({ op: "ReduceMax", inputs: [randomTensor([70, 3001], 3), ints([0])] }, reduceKernels, "reduce");
  });

  it.each(["ArgMax", "ArgMin"])("%s along any axis, first or last", (op) => {
    fc.assert(
      fc.property(reductions, fc.constantFrom(0, 1), ({ shape, axes, keepdims, seed }, last) => {
        // Few distinct values, so that there are ties.
        const x = Tensor.from("float32", shape, Array.from(randomTensor(shape, seed, 3).numbers(), Math.round));
        checkOperator(
          { op, inputs: [x], attributes: { axis: axes[0]! - shape.length, keepdims, select_last_index: last } },
          reduceKernels,
          "arg extreme",
        );
      }),
      { numRuns: 60 },
    );
  });

  it.each(["Softmax", "LogSoftmax"])("%s along any axis", (op) => {
    // e^x to 2 ulp, x - max rounded at |x| ≤ 20, sums of up to 21 terms, logarithms of up to 40.
    const tolerance: Tolerance = (wanted) => (op === "Softmax" ? 60 * EPSILON * wanted + 2 ** -120 : 80 * EPSILON);
    fc.assert(
      fc.property(reductions, ({ shape, axes, seed }) => {
        checkOperator(
          { op, inputs: [randomTensor(shape, seed, 10)], attributes: { axis: axes[0]! - shape.length } },
          reduceKernels,
          "softmax",
          tolerance,
        );
      }),
      { numRuns: 60 },
    );
    checkOperator(
      { op, version: 11, inputs: [randomTensor([3, 5, 7], 3)], attributes: { axis: 1 } },
      reduceKernels,
      "softmax",
      tolerance,
    );
    checkOperator({ op, inputs: [randomTensor([200, 77], 3, 10)] }, reduceKernels, "softmax", tolerance);
    checkOperator({ op, inputs: [Tensor.zeros("float32", [0, 5])] }, reduceKernels, "softmax", tolerance);
  });

  it("Softmax of rows that are partly or wholly -∞, as masks make them, or hold a NaN", () => {
    const row = [Number.NEGATIVE_INFINITY, 1, 2, Number.NEGATIVE_INFINITY, 0.5];
    const other = [1, Number.NaN, 2, 3, 4];
    const x = Tensor.from("float32", [3, 5], [...row, ...other, ...row.map(() => Number.NEGATIVE_INFINITY)]);
    const tolerance: Tolerance = (wanted) => 20 * EPSILON * wanted;
    checkOperator({ op: "Softmax", inputs: [x] }, reduceKernels, "softmax", tolerance);
    const columns = Tensor.from(
      "float32",
      [5, 3],
      Array.from({ length: 15 }, (_, i) => x.numbers()[(i % 3) * 5 + Math.floor(i / 3)]!),
    );
    checkOperator({ op: "Softmax", inputs: [columns], attributes: { axis: 0 } }, reduceKernels, "softmax", tolerance);
  });

  it("leaves the rest to the evaluation", () => {
    checkOperator({ op: "ReduceSum", inputs: [Tensor.from("int32", [4], [1, 2, 3, 4])] }, reduceKernels, null);
    checkOperator({ op: "ReduceSum", inputs: [Tensor.zeros("float32", [0, 3]), ints([0])] }, reduceKernels, null);
    checkOperator({ op: "ReduceLogSumExp", inputs: [randomTensor([4], 1)] }, reduceKernels, null);
  });
});
