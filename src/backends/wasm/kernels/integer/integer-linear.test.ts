import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttributeLike, GraphBuilder } from "../../../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../../../layouts/index.js";
import { parsePattern } from "../../../../sparsity/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { compare, deviceInfo } from "../batch-matmul/harness.node.js";
import { integerKernels } from "./index.js";

type Levels = "int8" | "uint8";

/** Numbers that depend on the seed alone: 0 to 2^24 - 1. */
function numbers(count: number, seed: number): number[] {
  let state = seed | 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 8;
  });
}
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function levels(dtype: Levels, shape: readonly number[], seed: number): Tensor {
  const low = dtype === "int8" ? -128 : 0;
  return Tensor.from(
    dtype,
    shape,
    numbers(sizeOf(shape), seed).map((n) => low + (n >> 16)),
  );
}
const floats = (shape: readonly number[], seed: number, scale = 1): Tensor =>
  Tensor.from(
    "float32",
    shape,
    numbers(sizeOf(shape), seed).map((n) => scale * (n / 2 ** 23 - 1)),
  );

interface Operand {
  readonly value: Tensor | SparseTensor | null;
  readonly fed?: boolean;
}

/** What the kernel makes of the node on a host with and without relaxed SIMD, beside what the operator says. */
function run(
  op: string,
  domain: string,
  operands: readonly Operand[],
  attributes: Readonly<Record<string, AttributeLike>>,
  check: (actual: Tensor, expected: Tensor) => void,
): void {
  const builder = new GraphBuilder();
  const feeds: Tensor[] = [];
  const inputs = operands.map(({ value, fed }, i) => {
    if (value === null) return null;
    if (!fed) return builder.constant(value);
    feeds.push(value as Tensor);
    return builder.input(`x${i}`, value.dtype, value.shape);
  });
  builder.output(builder.add(op, inputs, attributes, { domain }));
  const graph = builder.build();
  for (const relaxed of [true, false]) {
    const device = deviceInfo(relaxed && deviceInfo().relaxed);
    const result = compare(graph, feeds, integerKernels, device);
    expect(result, "a kernel takes the node").not.toBeNull();
    check(result!.actual[0]!, result!.expected[0]!);
  }
}

const exactly = (actual: Tensor, expected: Tensor): void => expect(actual).toEqual(expected);

/** int32 → float32, two factors, a bias and a residual round six times; activations add a few units more. */
const closely =
  (magnitude: number) =>
  (actual: Tensor, expected: Tensor): void => {
    expect(actual.shape).toEqual(expected.shape);
    const [y, exact] = [actual.numbers(), expected.numbers()];
    for (let i = 0; i < y.length; i++) {
      if (!(Math.abs(y[i]! - exact[i]!) <= 2 ** -20 * (magnitude + Math.abs(exact[i]!))))
        expect([i, y[i]]).toEqual([i, exact[i]]);
    }
  };

const side = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 65, 97, 130) },
);
const inner = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 70 }) },
  { weight: 1, arbitrary: fc.constantFrom(128, 255, 768, 1000, 1603) },
);
const tokens = fc.oneof(fc.integer({ min: 1, max: 9 }), side);
const dtype = fc.constantFrom<Levels>("int8", "uint8");

/** Pattern and layout, and what outputs and inputs must be multiples of. */
const LAYOUTS: readonly (readonly [string, string, number, number])[] = [
  ["50%", "csr", 1, 1],
  ["90%", "bitmask", 1, 1],
  ["2:4", "semi-structured", 1, 4],
  ["1:4", "n:m:1:4", 1, 4],
  ["2:2:4", "v:n:m:2:2:4", 2, 4],
  ["8:2:4", "v:n:m:8:2:4", 8, 4],
  ["16:2:4", "v:n:m:16:2:4", 16, 4],
  ["32:2:8", "v:n:m:32:2:8", 32, 8],
  ["block:4x4@50%", "bsr:4x4", 4, 4],
  ["block:8x2@50%", "bsr:8x2", 8, 2],
  ["block:16x16@75%", "bsr:16x16", 16, 16],
  ["shuffled-block:4x4@50%", "shuffled-bsr:4x4", 4, 4],
  ["rows@50%", "rows", 1, 1],
  ["99%", "csr", 1, 1],
];

/** An int8 weight [K, M] pruned to a pattern and stored in a layout, its codes as they are. */
function stored(weight: Tensor, pattern: string, layout: string): SparseTensor {
  const matrix = toMatrix(weight, [1, 0]);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  const encoded = parseLayout(layout).encode(matrix, mask, { values: "int8", dtype: "int8" });
  return new SparseTensor(weight.shape, [1, 0], encoded);
}

describe("integer kernels", () => {
  it("multiply levels exactly, whatever the zero points", () => {
    const zero = fc.constantFrom("none", "one", "each");
    fc.assert(
      fc.property(tokens, inner, side, dtype, dtype, zero, zero, fc.nat(), (N, K, M, xd, wd, xZero, wZero, seed) => {
        const operands: Operand[] = [
          { value: levels(xd, [N, K], seed), fed: true },
          { value: levels(wd, [K, M], seed + 1) },
          { value: xZero === "none" ? null : levels(xd, [], seed + 2), fed: seed % 2 === 0 },
          { value: wZero === "none" ? null : levels(wd, wZero === "one" ? [] : [M], seed + 3) },
        ];
        run("MatMulInteger", "", operands, {}, exactly);
      }),
      { numRuns: 25 },
    );
  });

  it("keep the extremes apart from overflow and saturation", () => {
    for (const [xd, wd, x, w, zx, zw] of [
      ["uint8", "int8", 255, -128, 0, 0],
      ["uint8", "int8", 255, 127, 0, 127],
      ["int8", "int8", -128, -128, 127, 0],
      ["uint8", "uint8", 255, 255, 0, 0],
      ["uint8", "int8", 0, -128, 255, 127],
    ] as const) {
      for (const N of [1, 3, 17]) {
        const operands: Operand[] = [
          { value: Tensor.from(xd, [N, 1500], new Array(N * 1500).fill(x)), fed: true },
          { value: Tensor.from(wd, [1500, 18], new Array(18 * 1500).fill(w)) },
          { value: Tensor.from(xd, [], [zx]) },
          { value: Tensor.from(wd, [], [zw]) },
        ];
        run("MatMulInteger", "", operands, {}, exactly);
      }
    }
  });

  it("quantize x over its range, scale the product back and finish it", () => {
    const activation = fc.constantFrom("", "Relu", "Gelu", "Swish");
    const shifts = fc.constantFrom(-1, -0.5, 0, 1);
    fc.assert(
      fc.property(
        ...([tokens, inner, side, dtype, activation, shifts, fc.integer({ min: 0, max: 15 }), fc.nat()] as const),
        (N, K, M, wd, name, shift, which, seed) => {
          const x = Tensor.from(
            "float32",
            [N, K],
            Array.from(floats([N, K], seed).numbers(), (v) => 3 * (v + shift)),
          );
          const operands: Operand[] = [
            { value: x, fed: true },
            { value: levels(wd, [K, M], seed + 1) },
            { value: which & 1 ? floats([M], seed + 2) : null },
            { value: which & 2 ? floats([N, M], seed + 3) : null, fed: true },
            { value: which & 4 ? floats([M], seed + 4, 0.01) : floats([], seed + 4, 0.01) },
            { value: wd === "int8" && which & 8 ? null : levels(wd, which & 4 ? [M] : [], seed + 5) },
          ];
          const attributes = { activation: name, residual_position: seed % 2 ? "before" : "after" };
          run("DynamicQuantizedLinear", "ai.nonzero", operands, attributes, closely(6 * 255 * 0.01 * K * 2 ** -2 + 4));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("multiply what sparse weights keep, exactly", () => {
    fc.assert(
      fc.property(
        ...([tokens, inner, side, dtype, fc.constantFrom(...LAYOUTS), fc.nat()] as const),
        (N, k, m, xd, [pattern, layout, rows, cols], seed) => {
          const [M, K] = [Math.ceil(m / rows) * rows, Math.ceil(k / cols) * cols];
          const operands: Operand[] = [
            { value: levels(xd, [N, K], seed), fed: true },
            { value: stored(levels("int8", [K, M], seed + 1), pattern, layout) },
            { value: levels(xd, [], seed + 2) },
          ];
          run("MatMulInteger", "", operands, {}, exactly);
          const floating: Operand[] = [
            { value: floats([N, K], seed + 3), fed: true },
            operands[1]!,
            { value: floats([M], seed + 4) },
            { value: floats([N, M], seed + 5), fed: true },
            { value: floats([M], seed + 6, 0.01) },
          ];
          run("DynamicQuantizedLinear", "ai.nonzero", floating, { activation: "Relu" }, closely(2.6 * K + 4));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("leave a sparse weight alone whose zero is no zero", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "uint8", [2, 8]);
    const weight = builder.constant(stored(levels("int8", [8, 8], 1), "50%", "csr"));
    const inputs = [x, weight, null, builder.constant(Tensor.from("int8", [], [3]))];
    builder.output(builder.add("MatMulInteger", inputs));
    expect(compare(builder.build(), [levels("uint8", [2, 8], 2)], integerKernels)).toBeNull();
  });

  it("take com.microsoft's products", () => {
    fc.assert(
      fc.property(tokens, inner, side, dtype, fc.nat(), (N, K, M, wd, seed) => {
        const [weight, scale] = [levels(wd, [K, M], seed), floats([M], seed + 1, 0.01)];
        const zero = levels(wd, [M], seed + 2);
        const bias = floats([M], seed + 3);
        const x = { value: floats([2, N, K], seed + 4), fed: true };
        const dynamic = [x, { value: weight }, { value: scale }, { value: zero }, { value: bias }];
        run("DynamicQuantizeMatMul", "com.microsoft", dynamic, {}, closely(2 * 255 * 0.01 * K + 1));
        const q = { value: levels("uint8", [N, K], seed + 5), fed: true };
        const given = [q, { value: weight }, { value: floats([], seed + 6, 0.02), fed: true }, { value: scale }];
        const rest = [{ value: levels("uint8", [], seed + 7), fed: true }, { value: zero }, { value: bias }];
        run("MatMulIntegerToFloat", "com.microsoft", [...given, ...rest], {}, closely(255 * 255 * 2e-4 * K + 1));
      }),
      { numRuns: 20 },
    );
  });
});
