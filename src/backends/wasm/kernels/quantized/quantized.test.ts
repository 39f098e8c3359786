import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkGraph, randomTensor } from "../../../../../test/support/check-kernel.js";
import { GraphBuilder } from "../../../../graph/index.js";
import { groupSizeOf, groupsOf, SparseTensor, type Stored } from "../../../../layouts/index.js";
import { sizeOf, Tensor } from "../../../../tensor/index.js";
import { quantizedKernels } from "./index.js";

type Form = "dense" | "dense:g32" | "dense:g64" | "dense:g128" | "dense:g256" | "dense:g32/uint8";
const FORMS: readonly Form[] = ["dense", "dense:g32", "dense:g64", "dense:g128", "dense:g256", "dense:g32/uint8"];

/** A matrix of random codes: every code there is, zero points anywhere, scales of both signs (as symmetric 4-bit groups have). */
function storedMatrix(form: Form, rows: number, cols: number, zeroPoints: boolean, seed: number): Stored {
  const layout = form.split("/")[0]!;
  const numbers = (count: number, seed: number, scale: number): Float32Array =>
    randomTensor([count], seed, scale).data as Float32Array;
  const size = groupSizeOf(layout);
  if (size === null) {
    const values = Tensor.from("int8", [rows, cols], numbers(rows * cols, seed, 128).map(Math.floor));
    const scales = new Tensor("float32", [rows], numbers(rows, seed + 1, 0.01));
    return { layout, rows, cols, dtype: "float32", parts: { values, scales } };
  }
  const [dtype, most] = form.endsWith("uint8") ? (["uint8", 256] as const) : (["uint4", 16] as const);
  const groups = groupsOf(cols, size);
  const codes = (count: number, seed: number): Float32Array =>
    numbers(count, seed, 0.5).map((x) => Math.floor((x + 0.5) * most));
  const parts = {
    values: Tensor.from(dtype, [rows, cols], codes(rows * cols, seed)),
    scales: new Tensor("float32", [rows, groups], numbers(rows * groups, seed + 1, 0.01)),
    ...(zeroPoints ? { zero_points: Tensor.from(dtype, [rows, groups], codes(rows * groups, seed + 2)) } : {}),
  };
  return { layout, rows, cols, dtype: "float32", parts };
}

/**
 * Sums of K products of |x| ≤ 1 with codes of scale 0.01. Kernels add codes counted from 0 (8 + n / 2 with 4 bits, doubled) and take the rest off, so
 * that each of their K / 4 additions a lane, 4 at the end and 2 conversions of x rounds by at most 2^-24 of the sum of magnitudes.
 */
const tolerance = (K: number, form: Form) => () => {
  const largest = form.startsWith("dense:") && !form.endsWith("uint8") ? 2 * (16 + 8) + 16 : 2 * 256;
  return (K / 4 + 8) * 2 ** -24 * K * largest * 0.01 + 1e-6;
};

describe("products with quantized weights", () => {
  const cases = fc.record({
    form: fc.constantFrom(...FORMS),
    zeroPoints: fc.boolean(),
    M: fc.integer({ min: 1, max: 60 }),
    K: fc.integer({ min: 1, max: 300 }),
    N: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 17, max: 120 })),
    order: fc.constantFrom("right", "left", "transposed"),
    bias: fc.boolean(),
    seed: fc.nat(1000),
  });

  test("agree with the oracle for every form, order and number of tokens", () => {
    fc.assert(
      fc.property(cases, ({ form, zeroPoints, M, K, N, order, bias, seed }) => {
        const stored = storedMatrix(form, M, K, zeroPoints, seed);
        const builder = new GraphBuilder();
        const weight = (shape: number[], perm: number[]) => builder.constant(new SparseTensor(shape, perm, stored));
        const feed = order === "left" ? randomTensor([K, N], seed + 5) : randomTensor([N, K], seed + 5);
        const x = builder.input("x", "float32", feed.shape);
        const b = bias ? builder.constant(randomTensor([M], seed + 6)) : null;
        if (order === "left") builder.output(builder.add("MatMul", [weight([M, K], [0, 1]), x]));
        else if (order === "transposed")
          builder.output(builder.add("Gemm", [x, weight([M, K], [0, 1]), b], { transB: 1 }));
        else {
          const product = builder.add("MatMul", [x, weight([K, M], [1, 0])]);
          builder.output(builder.add("Relu", [b ? builder.add("Add", [product, b]) : product]));
        }
        checkGraph(builder.build(), [feed], quantizedKernels, "quantized-linear", tolerance(K, form));
      }),
      { numRuns: 60 },
    );
  });

  test("long rows, and rows of whole groups", () => {
    for (const form of FORMS) {
      for (const N of [1, 2, 3, 4, 5, 8, 9, 16]) {
        const builder = new GraphBuilder();
        const stored = storedMatrix(form, 25, 1024, N % 2 === 0, N);
        const weight = builder.constant(new SparseTensor([1024, 25], [1, 0], stored));
        builder.output(builder.add("MatMul", [builder.input("x", "float32", [N, 1024]), weight]));
        const feed = randomTensor([N, 1024], N);
        checkGraph(builder.build(), [feed], quantizedKernels, "quantized-linear", tolerance(1024, form));
      }
    }
  });
});

describe("gathering from quantized tables", () => {
  test("gives the rows' exact values, negative indices counted from the end", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FORMS),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 150 }),
        fc.array(fc.integer({ min: -100, max: 100 }), { maxLength: 6 }),
        fc.constantFrom("int32", "int64"),
        (form, zeroPoints, rows, cols, picks, dtype) => {
          const stored = storedMatrix(form, rows, cols, zeroPoints, rows + cols);
          const builder = new GraphBuilder();
          const table = builder.constant(new SparseTensor([rows, cols], [0, 1], stored));
          const shape = [picks.length, 1];
          builder.output(builder.add("Gather", [table, builder.input("i", dtype as "int32", shape)], { axis: 0 }));
          const feed = Tensor.from(
            dtype as "int32",
            shape,
            picks.map((pick) => pick % rows),
          );
          expect(sizeOf(feed.shape)).toBe(picks.length);
          checkGraph(builder.build(), [feed], quantizedKernels, "quantized-gather");
        },
      ),
      { numRuns: 40 },
    );
  });
});
