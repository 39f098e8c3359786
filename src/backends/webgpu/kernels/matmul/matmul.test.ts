import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture, denseWeight, PLAIN_GPU, sparseWeight } from "../../../../../test/support/capture-webgpu.js";
import { checkGraph, describeGpu } from "../../../../../test/support/check-webgpu.js";
import { type AttributeLike, GraphBuilder } from "../../../../graph/index.js";
import { bytesOf, parseLayout, SparseTensor, toMatrix, type ValueDataType } from "../../../../layouts/index.js";
import { parsePattern } from "../../../../sparsity/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { anyKernel, type Kernel } from "../../kernel.js";
import { matmulKernels } from "./index.js";
import { linear } from "./linear.js";
import { sparseSchedule, tileFor } from "./schedule.js";

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

/** `weight` pruned to a pattern and stored in a layout; perm makes it [outputs, inputs]. */
function stored(weight: Tensor, perm: readonly number[], pattern: string, layout: string, values: ValueDataType) {
  const matrix = toMatrix(weight, perm);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  return new SparseTensor(weight.shape, perm, parseLayout(layout).encode(matrix, mask, { values }));
}

interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  /** Operands in the node's order; the one at `weight` is constant. */
  readonly operands: readonly (Tensor | SparseTensor | null)[];
  readonly weight: number | null;
  readonly K: number;
  readonly kernel?: string;
  readonly kernels?: readonly Kernel[];
  /** How much the activation stretches an error, and what it adds. */
  readonly stretch?: number;
  readonly extra?: number;
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
  kernel = "linear",
  kernels = matmulKernels,
  stretch = 1,
  extra = 0,
}: Case) {
  const builder = new GraphBuilder();
  const feeds: Tensor[] = [];
  const inputs = operands.map((operand, i) => {
    if (operand === null) return null;
    if (i === weight) return builder.constant(operand);
    feeds.push(operand as Tensor);
    return builder.input(`x${i}`, "float32", operand.shape);
  });
  builder.output(builder.add(op, inputs, attributes, { domain }));
  const limit = stretch * (K + 4) * 2 ** -24 * Math.max(2, K / 2) + extra;
  return checkGraph(builder.build(), feeds, kernels, kernel, (y) => limit + Math.abs(y) * 2 ** -20, "own");
}

/** Pattern and layout, and what the sides must be multiples of. */
const LAYOUTS: readonly (readonly [pattern: string, layout: string, rows: number, cols: number])[] = [
  ["50%", "csr", 1, 1],
  ["80%", "coo", 1, 1],
  ["75%", "bitmask", 1, 1],
  ["rows@50%", "rows", 1, 1],
  ["cols@50%", "cols", 1, 1],
  ["2:4", "semi-structured", 1, 4],
  ["1:4", "n:m:1:4", 1, 4],
  ["2:8", "n:m:2:8", 1, 8],
  ["2:2:4", "v:n:m:2:2:4", 2, 4],
  ["4:2:4", "v:n:m:4:2:4", 4, 4],
  ["4:1:4", "v:n:m:4:1:4", 4, 4],
  ["8:2:4", "v:n:m:8:2:4", 8, 4],
  ["16:1:8", "v:n:m:16:1:8", 16, 8],
  ["32:2:16", "v:n:m:32:2:16", 32, 16],
  ["64:4:32", "v:n:m:64:4:32", 64, 32],
  ["128:2:8", "v:n:m:128:2:8", 128, 8],
  ["block:4x4@50%", "bsr:4x4", 4, 4],
  ["block:1x4@50%", "bsr:1x4", 1, 4],
  ["block:16x16@75%", "bsr:16x16", 16, 16],
  ["block:32x32@75%", "bsr:32x32", 32, 32],
  ["block:64x64@50%", "bsr:64x64", 64, 64],
  ["block:8x8@50%+2:4", "bsr:8x8+2:4", 8, 8],
  ["block:16x16:1:4", "bnm:16x16:1:4", 16, 64],
  ["shuffled-block:16x16@75%", "shuffled-bsr:16x16", 16, 16],
  ["shuffled-block:4x4@90%", "shuffled-bsr:4x4", 4, 4],
  ["50%", "bsr:8x2", 1, 1],
  ["99%", "csr", 1, 1],
];

const side = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 30 }) },
  { weight: 2, arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 8, 16, 32, 60, 64, 66, 68, 100, 128, 130) },
);
const up = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

describeGpu("matmul on WebGPU", () => {
  it("multiplies by dense weights on either side", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(side, side, side, fc.boolean(), fc.nat(), (M, K, N, left, seed) => {
        const x = filled(left ? [K, N] : [N, K], seed);
        const w = filled(left ? [M, K] : [K, M], seed + 1);
        return check({ op: "MatMul", operands: left ? [w, x] : [x, w], weight: left ? 0 : 1, K });
      }),
      { numRuns: 4 },
    ),
  );

  it.each(LAYOUTS)(
    "multiplies by %s in %s, of every value type, on either side",
    { timeout: 120_000 },
    (pattern, layout, rows, cols) =>
      fc.assert(
        fc.asyncProperty(
          ...([side, side, side, fc.boolean(), fc.nat()] as const),
          fc.constantFrom<ValueDataType>("float32", "float16", "bfloat16", "int8"),
          (m, k, N, left, seed, dtype) => {
            const [M, K] = [up(m, rows), up(k, cols)];
            const x = filled(left ? [K, N] : [N, K], seed);
            const w = stored(filled(left ? [M, K] : [K, M], seed + 1), left ? [0, 1] : [1, 0], pattern, layout, dtype);
            return check({ op: "MatMul", operands: left ? [w, x] : [x, w], weight: left ? 0 : 1, K });
          },
        ),
        { numRuns: 1 },
      ),
  );

  it("finishes Linear with bias, activation and residual", { timeout: 120_000 }, () => {
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
    return fc.assert(
      fc.asyncProperty(
        ...([side, side, side, fc.constantFrom(...activations), fc.boolean()] as const),
        ...([fc.constantFrom("", "before", "after"), fc.boolean(), fc.boolean(), fc.nat()] as const),
        (M, K, N, [activation, params], bias, residual, sparse, transB, seed) => {
          const dense = filled(transB ? [M, K] : [K, M], seed);
          const w = sparse ? stored(dense, transB ? [0, 1] : [1, 0], "50%", "csr", "int8") : dense;
          return check({
            ...{ op: "Linear", domain: "ai.nonzero", weight: 1, K, stretch: 1.2, extra: 2 ** -18 },
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
      { numRuns: 3 },
    );
  });

  it("does what Gemm says", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        ...([side, side, side, fc.boolean(), fc.boolean(), fc.boolean()] as const),
        ...([fc.constantFrom("none", "row", "full"), fc.nat()] as const),
        (M, K, N, transA, transB, left, c, seed) => {
          const [rows, columns] = left ? [M, N] : [N, M];
          const a = filled(transA ? [K, rows] : [rows, K], seed);
          const b = filled(transB ? [columns, K] : [K, columns], seed + 1);
          const bias = c === "none" ? null : filled(c === "full" ? [rows, columns] : left ? [M, 1] : [M], seed + 2);
          return check({
            ...{ op: "Gemm", operands: [a, b, bias], weight: left ? 0 : 1, K, stretch: 1.5, extra: 2 ** -20 },
            attributes: {
              ...{ transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { kind: "float", value: -1.5 } },
              beta: { kind: "float", value: c === "row" ? 0.5 : 1 },
            },
          });
        },
      ),
      { numRuns: 4 },
    ),
  );

  it("takes batches, vectors and FusedMatMul", { timeout: 120_000 }, async () => {
    await check({ op: "MatMul", operands: [filled([5, 7], 1), filled([2, 3, 7, 50], 2)], weight: 0, K: 7 });
    await check({ op: "MatMul", operands: [filled([5, 7], 1), filled([7], 2)], weight: 0, K: 7 });
    await check({ op: "MatMul", operands: [filled([7], 1), filled([7, 9], 2)], weight: 1, K: 7 });
    const sparse = stored(filled([12, 8], 1), [0, 1], "2:4", "semi-structured", "float16");
    await check({ op: "MatMul", operands: [sparse, filled([3, 8, 9], 2)], weight: 0, K: 8 });
    for (const [transA, transB] of [
      [0, 1],
      [1, 1],
    ] as const) {
      await check({
        ...{ op: "FusedMatMul", domain: "com.microsoft", weight: 1, K: 7 },
        operands: [filled(transA ? [7, 6] : [6, 7], 1), filled(transB ? [9, 7] : [7, 9], 2)],
        attributes: { transA, transB, alpha: { kind: "float", value: 0.25 } },
      });
    }
  });

  it("multiplies activations by activations, in batches that broadcast", { timeout: 120_000 }, async () => {
    const shapes = [
      [
        [2, 3, 5, 8],
        [2, 3, 8, 9],
      ],
      [
        [3, 1, 5, 7],
        [2, 7, 6],
      ],
      [
        [5, 7],
        [4, 7, 3],
      ],
      [[6, 70], [70]],
      [
        [2, 70],
        [70, 130],
      ],
    ] as const;
    for (const [a, b] of shapes) {
      await check({
        op: "MatMul",
        operands: [filled(a, 1), filled(b, 2)],
        weight: null,
        K: a.at(-1)!,
        kernel: "batch-matmul",
      });
    }
    for (const [transA, transB] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await check({
        ...{ op: "FusedMatMul", domain: "com.microsoft", weight: null, K: 20, kernel: "batch-matmul" },
        operands: [filled(transA ? [3, 20, 6] : [3, 6, 20], 1), filled(transB ? [3, 9, 20] : [3, 20, 9], 2)],
        attributes: { transA, transB, alpha: { kind: "float", value: 0.25 } },
      });
    }
  });

  it("multiplies by the code for GPUs, which CPUs do without", { timeout: 240_000 }, async () => {
    const unrolled = anyKernel({
      ...linear,
      name: "linear for GPUs",
      lower: (spec, schedule, node, to) =>
        linear.lower(spec, schedule, node, { ...to, device: { ...to.device, subgroups: null } }),
    });
    const layouts = [
      null,
      ["8:2:4", "v:n:m:8:2:4"],
      ["4:1:4", "v:n:m:4:1:4"],
      ["block:32x32@75%", "bsr:32x32"],
      ["block:16x16@75%", "bsr:16x16"],
      ["2:4", "semi-structured"],
    ] as const;
    const shared = { kernels: [unrolled], kernel: "linear for GPUs" };
    for (const [i, sparse] of layouts.entries()) {
      const [M, K, N] = i % 2 === 0 ? [96, 96, 68] : [160, 64, 35];
      const dense = filled([M, K], 3);
      const w = sparse === null ? dense : stored(dense, [0, 1], sparse[0], sparse[1], "float16");
      // Tokens to the left or to the right: y is in the one order or in the other.
      const left = { op: "Gemm", attributes: { transB: 1 }, operands: [filled([N, K], 4), w], weight: 1 };
      const right = { op: "MatMul", operands: [w, filled([K, N], 4)], weight: 0 };
      await check({ ...shared, ...(i % 3 === 0 ? left : right), K });
    }
  });

  it.each([
    [20, true],
    [20, false],
    [18, true],
    [18, false],
  ])(
    "puts the rows of shuffled blocks where they belong: %i tokens, W left: %s",
    { timeout: 120_000 },
    async (N, left) => {
      const [M, K] = [64, 32];
      const dense = filled(left ? [M, K] : [K, M], 5);
      const w = stored(dense, left ? [0, 1] : [1, 0], "shuffled-block:16x16@75%", "shuffled-bsr:16x16", "int8");
      expect(sparseSchedule(w, tileFor(w.stored.rows, N, 1, PLAIN_GPU), PLAIN_GPU).form).toHaveProperty("order");
      if (left) await check({ op: "MatMul", operands: [w, filled([K, N], 6)], weight: 0, K });
      else
        await check({
          ...{ op: "Linear", domain: "ai.nonzero", weight: 1, K },
          operands: [filled([N, K], 6), w, filled([M], 7), filled([N, M], 8)],
          attributes: { transB: 0, activation: "Relu", residual_position: "after" },
        });
    },
  );

  it("multiplies by tiles of every size", { timeout: 120_000 }, async () => {
    for (const [M, K, N, pattern, layout] of [
      [512, 32, 1024, null, null],
      [512, 32, 1024, "8:2:16", "v:n:m:8:2:16"],
      [512, 32, 1024, "2:4", "semi-structured"],
      [256, 24, 1030, "4:1:4", "v:n:m:4:1:4"],
      [256, 24, 1030, "50%", "bitmask"],
      [300, 24, 1404, "8:2:4", "v:n:m:8:2:4"],
    ] as const) {
      const dense = filled([M, K], 3);
      const w = layout === null ? dense : stored(dense, [0, 1], pattern, layout, "float16");
      await check({ op: "MatMul", operands: [w, filled([K, N], 4)], weight: 0, K });
    }
  });

  it.each(LAYOUTS)("multiplies by %s in %s for few tokens", { timeout: 120_000 }, (pattern, layout, rows, cols) =>
    fc.assert(
      fc.asyncProperty(
        ...([side, side, fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.nat()] as const),
        fc.constantFrom<ValueDataType>("float32", "float16", "bfloat16", "int8"),
        (m, k, N, left, seed, dtype) => {
          const [M, K] = [up(m, rows), up(4 * k, cols)];
          const x = filled(left ? [K, N] : [N, K], seed);
          const w = stored(filled(left ? [M, K] : [K, M], seed + 1), left ? [0, 1] : [1, 0], pattern, layout, dtype);
          return check({ op: "MatMul", operands: left ? [w, x] : [x, w], weight: left ? 0 : 1, K });
        },
      ),
      { numRuns: 1 },
    ),
  );
});

describe("matmul kernels' code", () => {
  it.each([
    ["dense", null, 64, true],
    ["v:n:m:8:1:8", "8:1:8", 64, true],
    ["bsr:32x32", "block:32x32@75%", 64, false],
    ["semi-structured", "2:4", 64, false],
    ["semi-structured", "2:4", 1, false],
    ["bitmask", "50%", 1, false],
  ] as const)("is what it was: %s %s for %i tokens", (layout, pattern, N, featureMajor) => {
    const w = pattern === null ? denseWeight(32, 32) : sparseWeight(32, 32, pattern, layout, "float16");
    const [launch] = capture(w, [32, 32, N], featureMajor);
    expect(launch!.code.build(PLAIN_GPU)).toMatchSnapshot();
  });

  it.each([
    ["semi-structured", "2:4"],
    ["n:m:1:4", "1:4"],
    ["n:m:2:8", "2:8"],
    ["v:n:m:16:2:8", "16:2:8"],
    ["bitmask", "50%"],
    ["bitmask", "80%"],
    ["csr", "95%"],
    ["bsr:16x16", "block:16x16@90%"],
  ])("reads %s within 5 %% of its bytes for few tokens", (layout, pattern) => {
    for (const values of ["float32", "float16", "int8"] as const) {
      const w = sparseWeight(64, 1024, pattern, layout, values);
      const [launch] = capture(w, [64, 1024, 1], false);
      const { x: _, y: __, ...read } = launch!.bindings;
      const bytes = Object.values(read).reduce((sum, buffer) => sum + buffer.bytes, 0);
      expect(bytes / bytesOf(w.stored)).toBeLessThan(1.05);
    }
  });
});
