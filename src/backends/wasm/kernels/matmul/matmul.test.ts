import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttributeLike, GraphBuilder } from "../../../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix, type ValueDataType } from "../../../../layouts/index.js";
import { parsePattern } from "../../../../sparsity/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { compare, deviceInfo } from "../batch-matmul/harness.node.js";
import { matmulKernels } from "./index.js";

/** Numbers in [-1, 1) that depend on the seed alone. */
function filled(shape: readonly number[], seed: number): Tensor {
  let state = seed | 1;
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    data[i] = state / 2 ** 31;
  }
  return new Tensor("float32", shape, data);
}

type Weight = Tensor | SparseTensor;
const denseOf = (weight: Weight): Tensor => (weight instanceof SparseTensor ? weight.toDense() : weight);

/** `weight` pruned to a pattern and stored in a layout; perm makes it [outputs, inputs]. */
function stored(
  weight: Tensor,
  perm: readonly number[],
  pattern: string,
  layout: string,
  values: ValueDataType,
): Weight {
  const matrix = toMatrix(weight, perm);
  const scores = { ...matrix, data: matrix.data.map(Math.abs) };
  const mask = parsePattern(pattern).select(scores);
  return new SparseTensor(weight.shape, perm, parseLayout(layout).encode(matrix, mask, { values }));
}

/** Pattern and layout, and what the sides must be multiples of. */
const LAYOUTS: readonly (readonly [string, string, number, number])[] = [
  ["50%", "csr", 1, 1],
  ["80%", "coo", 1, 1],
  ["75%", "bitmask", 1, 1],
  ["rows@50%", "rows", 1, 1],
  ["cols@50%", "cols", 1, 1],
  ["2:4", "semi-structured", 1, 4],
  ["1:4", "n:m:1:4", 1, 4],
  ["2:8", "n:m:2:8", 1, 8],
  ["2:2:4", "v:n:m:2:2:4", 2, 4],
  ["4:1:4", "v:n:m:4:1:4", 4, 4],
  ["block:4x4@50%", "bsr:4x4", 4, 4],
  ["block:1x4@50%", "bsr:1x4", 1, 4],
  ["block:16x16@75%", "bsr:16x16", 16, 16],
  ["shuffled-block:4x4@50%", "shuffled-bsr:4x4", 4, 4],
  ["50%", "bsr:8x2", 1, 1],
  ["99%", "csr", 1, 1],
];

interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  /** Operands in the node's order; the constant one is `weight`. */
  readonly operands: readonly (Tensor | SparseTensor | null)[];
  readonly weight: number;
  readonly K: number;
  /** How much the activation stretches an error, and what it adds. */
  readonly stretch?: number;
  readonly extra?: number;
  readonly schedule?: number;
}

/**
 * Kernel against operator. A float32 sum of K products, in any order, is within (K + 4)·2^-24·Σ|w||x| of the exact one; for
 * numbers even in [-1, 1) the sum of magnitudes is K/4 on average, and K/2 is beyond reach but for the shortest sums.
 */
function check({
  op,
  domain = "",
  attributes = {},
  operands,
  weight,
  K,
  stretch = 1,
  extra = 0,
  schedule = 0,
}: Case): void {
  const builder = new GraphBuilder();
  const feeds: Tensor[] = [];
  const inputs = operands.map((operand, i) => {
    if (operand === null) return null;
    if (i === weight) return builder.constant(operand);
    feeds.push(operand as Tensor);
    return builder.input(`x${i}`, "float32", operand.shape);
  });
  builder.output(builder.add(op, inputs, attributes, { domain }));
  const graph = builder.build();
  for (const relaxed of [true, false]) {
    const device = deviceInfo(relaxed && deviceInfo().relaxed);
    const result = compare(graph, feeds, matmulKernels, device, schedule);
    expect(result, "a kernel takes the node").not.toBeNull();
    const [actual, expected] = [result!.actual[0]!, result!.expected[0]!];
    expect(actual.shape).toEqual(expected.shape);
    const [y, exact] = [actual.numbers(), expected.numbers()];
    const limit = stretch * (K + 4) * 2 ** -24 * Math.max(2, K / 2) + extra;
    for (let i = 0; i < y.length; i++) {
      if (!(Math.abs(y[i]! - exact[i]!) <= limit + Math.abs(exact[i]!) * 2 ** -20))
        expect([i, y[i]]).toEqual([i, exact[i]]);
    }
  }
}

const side = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 30 }) },
  { weight: 2, arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 8, 9, 12, 24, 44, 47, 48, 49, 50, 60, 96, 100) },
);
const inner = fc.oneof(
  { weight: 4, arbitrary: side },
  { weight: 1, arbitrary: fc.constantFrom(191, 192, 193, 256, 384, 390, 400, 600) },
);
const up = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;
const values = fc.constantFrom<ValueDataType>("float32", "float32", "float16", "bfloat16", "int8");

describe("matmul kernels", () => {
  it("multiply by dense weights on either side", () => {
    fc.assert(
      fc.property(
        side,
        inner,
        side,
        fc.boolean(),
        fc.integer({ min: 0, max: 2 }),
        fc.nat(),
        (M, K, N, left, schedule, seed) => {
          const x = filled(left ? [K, N] : [N, K], seed);
          const w = filled(left ? [M, K] : [K, M], seed + 1);
          check({ op: "MatMul", operands: left ? [w, x] : [x, w], weight: left ? 0 : 1, K, schedule });
        },
      ),
      { numRuns: 80 },
    );
  });

  it("multiply by every layout and value type, on either side", () => {
    fc.assert(
      fc.property(
        ...([
          side,
          inner,
          side,
          fc.boolean(),
          fc.integer({ min: 0, max: 2 }),
          fc.nat(),
          fc.constantFrom(...LAYOUTS),
          values,
        ] as const),
        (m, k, N, left, schedule, seed, [pattern, layout, rows, cols], dtype) => {
          const [M, K] = [up(m, rows), up(k, cols)];
          const x = filled(left ? [K, N] : [N, K], seed);
          const w = stored(filled(left ? [M, K] : [K, M], seed + 1), left ? [0, 1] : [1, 0], pattern, layout, dtype);
          check({ op: "MatMul", operands: left ? [w, x] : [x, w], weight: left ? 0 : 1, K, schedule });
        },
      ),
      { numRuns: 200 },
    );
  });

  it("take every layout once, over several slabs", () => {
    for (const [pattern, layout] of LAYOUTS) {
      for (const dtype of ["float32", "float16", "bfloat16", "int8"] as const) {
        const w = stored(filled([64, 448], 5), [0, 1], pattern, layout, dtype);
        for (const [N, schedule] of [
          [53, 0],
          [1, 1],
        ] as const) {
          const operands = [filled([N, 448], 6), w];
          check({ op: "Gemm", attributes: { transB: 1 }, operands, weight: 1, K: 448, schedule });
        }
      }
    }
  });

  it("widen subnormal and infinite float16 values", () => {
    const numbers = [2 ** -24, -3 * 2 ** -24, 2 ** -14, 65504, -1, 0.333, 2 ** -15, 5 * 2 ** -20];
    for (const share of [1, 2]) {
      const row = Float32Array.from([...numbers, 2 ** -16]);
      const data = new Float32Array(9 * share);
      for (let r = 0; r < share; r++) data.set(row, 9 * r);
      const w = stored(new Tensor("float32", [share, 9], data), [0, 1], "0%", "csr", "float16");
      const identity = new Tensor(
        "float32",
        [9, 9],
        Float32Array.from({ length: 81 }, (_, i) => (i % 10 === 0 ? 1 : 0)),
      );
      const builder = new GraphBuilder();
      const x = builder.input("x", "float32", [9, 9]);
      builder.output(builder.add("MatMul", [builder.constant(w), x]));
      const { actual, expected } = compare(builder.build(), [identity], matmulKernels)!;
      expect(actual[0]!.data).toEqual(expected[0]!.data);
    }
    const w = stored(new Tensor("float32", [1, 2], Float32Array.of(1e6, 1)), [0, 1], "0%", "csr", "float16");
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [2, 1]);
    builder.output(builder.add("MatMul", [builder.constant(w), x]));
    const { actual } = compare(builder.build(), [Tensor.from("float32", [2, 1], [1, 1])], matmulKernels)!;
    expect(actual[0]!.numbers()[0]).toBe(Number.POSITIVE_INFINITY);
  });

  it("do not multiply what is not stored: infinities there leave no trace", () => {
    const w = stored(filled([10, 40], 3), [0, 1], "cols@50%", "csr", "float32");
    const kept = new Set<number>();
    denseOf(w)
      .numbers()
      .forEach((value, i) => value !== 0 && kept.add(i % 40));
    for (const N of [50, 1]) {
      const x = filled([40, N], 4);
      for (let k = 0; k < 40; k++)
        if (!kept.has(k)) (x.data as Float32Array).fill(Number.POSITIVE_INFINITY, k * N, (k + 1) * N);
      const builder = new GraphBuilder();
      builder.output(builder.add("MatMul", [builder.constant(w), builder.input("x", "float32", [40, N])]));
      const { actual } = compare(builder.build(), [x], matmulKernels)!;
      expect((actual[0]!.numbers() as Float32Array).every(Number.isFinite)).toBe(true);
    }
  });

  it("multiply one token by what is kept, an infinite weight included, in rows of any length", () => {
    fc.assert(
      fc.property(
        ...([side, inner, fc.integer({ min: 0, max: 10 }), fc.boolean(), fc.nat()] as const),
        (M, k, tenths, eights, seed) => {
          const K = eights ? up(k, 8) : k;
          const w = stored(filled([M, K], seed), [0, 1], `${10 * tenths}%`, "csr", "float32");
          check({ op: "Gemm", attributes: { transB: 1 }, operands: [filled([1, K], seed + 1), w], weight: 1, K });
        },
      ),
      { numRuns: 60 },
    );
    const dense = filled([5, 16], 3);
    dense.data[16] = Number.POSITIVE_INFINITY;
    const w = stored(dense, [0, 1], "40%", "csr", "float32");
    const builder = new GraphBuilder();
    builder.output(builder.add("MatMul", [builder.constant(w), builder.input("x", "float32", [16, 1])]));
    const { actual, expected } = compare(builder.build(), [filled([16, 1], 4)], matmulKernels)!;
    expect(Array.from(actual[0]!.numbers(), Number.isFinite)).toEqual(
      Array.from(expected[0]!.numbers(), Number.isFinite),
    );
  });

  it("finish Linear with bias, activation and residual", () => {
    const activations: readonly (readonly [string, readonly number[]])[] = [
      ["", []],
      ["Relu", []],
      ["Gelu", []],
      ["FastGelu", []],
      ["Swish", []],
      ["Sigmoid", []],
      ["Tanh", []],
      ["HardSwish", []],
      ["HardSigmoid", [0.2, 0.5]],
      ["LeakyRelu", [0.1]],
      ["Clip", [-0.5, 0.75]],
    ];
    fc.assert(
      fc.property(
        ...([
          side,
          side,
          side,
          fc.constantFrom(...activations),
          fc.boolean(),
          fc.constantFrom("", "before", "after"),
        ] as const),
        ...([fc.boolean(), fc.boolean(), fc.nat()] as const),
        (M, K, N, [activation, params], bias, residual, sparse, transB, seed) => {
          const dense = filled(transB ? [M, K] : [K, M], seed);
          const w = sparse ? stored(dense, transB ? [0, 1] : [1, 0], "50%", "csr", "int8") : dense;
          check({
            ...{ op: "Linear", domain: "ai.nonzero", weight: 1, K, stretch: 1.2, extra: 2 ** -19 },
            operands: [
              filled([1, N, K], seed + 1),
              w,
              bias ? filled([M], seed + 2) : null,
              residual ? filled([1, N, M], seed + 3) : null,
            ],
            attributes: {
              transB: transB ? 1 : 0,
              activation,
              activation_params: { kind: "floats", value: params },
              residual_position: residual || "after",
            },
          });
        },
      ),
      { numRuns: 120 },
    );
  });

  it("do what Gemm says", () => {
    fc.assert(
      fc.property(
        ...([
          side,
          side,
          side,
          fc.boolean(),
          fc.boolean(),
          fc.boolean(),
          fc.constantFrom("none", "row", "full"),
          fc.nat(),
        ] as const),
        (M, K, N, transA, transB, left, c, seed) => {
          const [rows, columns] = left ? [M, N] : [N, M];
          const a = filled(transA ? [K, rows] : [rows, K], seed);
          const b = filled(transB ? [columns, K] : [K, columns], seed + 1);
          const bias = c === "none" ? null : filled(c === "full" ? [rows, columns] : left ? [M, 1] : [M], seed + 2);
          check({
            ...{ op: "Gemm", operands: [a, b, bias], weight: left ? 0 : 1, K, stretch: 1.5, extra: 2 ** -20 },
            attributes: {
              ...{ transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { kind: "float", value: -1.5 } },
              beta: { kind: "float", value: c === "row" ? 0.5 : 1 },
            },
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  it("take batches, vectors and FusedMatMul", () => {
    check({ op: "MatMul", operands: [filled([5, 7], 1), filled([2, 3, 7, 50], 2)], weight: 0, K: 7 });
    check({ op: "MatMul", operands: [filled([5, 7], 1), filled([7], 2)], weight: 0, K: 7 });
    check({ op: "MatMul", operands: [filled([7], 1), filled([7, 9], 2)], weight: 1, K: 7 });
    check({ op: "MatMul", operands: [filled([2, 3, 7], 1), filled([7, 9], 2)], weight: 1, K: 7 });
    for (const [transA, transB] of [
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      check({
        ...{ op: "FusedMatMul", domain: "com.microsoft", weight: 1, K: 7 },
        operands: [filled(transA ? [7, 6] : [6, 7], 1), filled(transB ? [9, 7] : [7, 9], 2)],
        attributes: { transA, transB, alpha: { kind: "float", value: 0.25 } },
      });
    }
  });
});
