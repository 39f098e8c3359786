import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttributeLike, GraphBuilder } from "../../../../graph/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { compare } from "../batch-matmul/harness.node.js";
import { poolKernels } from "./index.js";

/** Numbers in [-1, 1) that depend on the seed alone. */
const filled = (shape: readonly number[], seed: number): Tensor => {
  let state = seed | 1;
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    data[i] = state / 2 ** 31;
  }
  return new Tensor("float32", shape, data);
};

/** Largest values are exact. A mean of n numbers below 1 is off by n · 2^-24 at worst, divided by at least one. */
function check(op: string, x: Tensor, attributes: Readonly<Record<string, AttributeLike>>, terms: number): void {
  const builder = new GraphBuilder();
  builder.output(builder.add(op, [builder.input("x", "float32", x.shape)], attributes, { version: 22 }));
  const result = compare(builder.build(), [x], poolKernels)!;
  const [actual, expected] = [result.actual[0]!, result.expected[0]!];
  expect(actual.shape).toEqual(expected.shape);
  const limit = op.includes("Max") ? 0 : 2 ** -24 * (terms + 2);
  const [a, b] = [actual.numbers(), expected.numbers()];
  for (let i = 0; i < a.length; i++) {
    const same = Object.is(a[i], b[i]) || Math.abs(a[i]! - b[i]!) <= limit;
    if (!same) expect([i, a[i]]).toEqual([i, b[i]]);
  }
}

const axis = fc
  .record({
    size: fc.oneof(fc.integer({ min: 1, max: 14 }), fc.constantFrom(30, 60)),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 3 }),
    end: fc.integer({ min: 0, max: 3 }),
  })
  .map((a) => ({ ...a, begin: Math.min(a.begin, a.kernel - 1), end: Math.min(a.end, a.kernel - 1) }))
  .filter((a) => a.size + a.begin + a.end >= (a.kernel - 1) * a.dilation + 1);
const axes = fc.array(axis, { minLength: 1, maxLength: 2 });
const leading = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 }));

describe("pooling kernels", () => {
  it("do what MaxPool and AveragePool say", () => {
    const op = fc.constantFrom("MaxPool", "AveragePool");
    const flag = fc.integer({ min: 0, max: 1 });
    fc.assert(
      fc.property(op, leading, axes, flag, flag, (op, [n, c], axes, ceil_mode, count_include_pad) => {
        const attributes = {
          kernel_shape: axes.map((a) => a.kernel),
          strides: axes.map((a) => a.stride),
          dilations: axes.map((a) => a.dilation),
          pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
          ceil_mode,
          ...(op === "AveragePool" ? { count_include_pad } : {}),
        };
        const terms = axes.reduce((product, a) => product * a.kernel, 1);
        check(op, filled([n, c, ...axes.map((a) => a.size)], n + 2 * c), attributes, terms);
      }),
      { numRuns: 200 },
    );
  });

  it("pad by themselves, and let NaN win", () => {
    const x = filled([1, 2, 9, 10], 1);
    (x.data as Float32Array)[37] = Number.NaN;
    for (const op of ["MaxPool", "AveragePool"]) {
      for (const auto_pad of ["SAME_UPPER", "SAME_LOWER", "VALID"]) {
        check(op, x, { auto_pad, kernel_shape: [3, 2], strides: [2, 2] }, 6);
      }
    }
  });

  it("do what the global poolings say", () => {
    for (const shape of [
      [1, 3, 7, 7],
      [2, 5, 1],
      [1, 600, 4, 4],
      [3, 2, 4, 5, 6],
      [1, 1, 200, 300],
    ]) {
      const size = shape.slice(2).reduce((a, b) => a * b, 1);
      for (const op of ["GlobalMaxPool", "GlobalAveragePool"]) check(op, filled(shape, size), {}, size);
    }
  });
});
