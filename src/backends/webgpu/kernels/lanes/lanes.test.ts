import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomTensor } from "../../../../../test/support/check-kernel.js";
import { testGpu } from "../../../../../test/support/webgpu.js";
import { Executor } from "../../../../compiler/index.js";
import { type AttributeLike, type Constant, GraphBuilder } from "../../../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix, type ValueDataType } from "../../../../layouts/index.js";
import { evaluateGraph, operators } from "../../../../ops/index.js";
import { parsePattern } from "../../../../sparsity/index.js";
import type { Tensor } from "../../../../tensor/index.js";
import { Session } from "../../session.js";
import { isProcessor } from "./device.js";
import { laneKernels } from "./index.js";

const gpu = await testGpu();
const processor = typeof gpu !== "string" && isProcessor(gpu.info) ? gpu : null;
const session = processor === null ? null : new Session(processor, undefined, laneKernels);

function stored(weight: Tensor, perm: readonly number[], pattern: string, layout: string, values: ValueDataType) {
  const matrix = toMatrix(weight, perm);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  return new SparseTensor(weight.shape, perm, parseLayout(layout).encode(matrix, mask, { values }));
}

interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (Tensor | { readonly constant: Constant } | null)[];
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  readonly kernel: string;
  /** Float32 sums of so many products of numbers below 1, in any order, on both sides. */
  readonly terms: number;
}

async function check({ op, domain = "", inputs, attributes = {}, kernel, terms }: Case): Promise<void> {
  const builder = new GraphBuilder();
  const feeds: Tensor[] = [];
  const values = inputs.map((input, i) => {
    if (input === null) return null;
    if ("constant" in input) return builder.constant(input.constant);
    feeds.push(input);
    return builder.input(`x${i}`, "float32", input.shape);
  });
  builder.output(
    builder.add(op, values, attributes, domain === "" && op === "Attention" ? { version: 23 } : { domain }),
  );
  const graph = builder.build();
  const executor = new Executor(graph, session!);
  for (const step of executor.describe(feeds)) expect(["alias", kernel]).toContain(step.kernel);
  const [[got], [wanted]] = [await executor.run(feeds), evaluateGraph(graph, feeds, operators)];
  executor.release();
  expect(got!.shape).toEqual(wanted!.shape);
  const limit = 1.2 * 2 ** -24 * (terms + 4) * Math.max(2, terms) + 1e-6;
  const [a, b] = [got!.data as Float32Array, wanted!.data as Float32Array];
  b.forEach((y, i) => {
    if (!(Math.abs(a[i]! - y) <= limit + Math.abs(y) * 2 ** -20))
      expect.fail(`element ${i} of [${wanted!.shape}] is ${a[i]}, not ${y}`);
  });
}

/** Pattern, layout, what the sides must be multiples of, and the values' type. */
const LAYOUTS: readonly (readonly [string, string, number, number, ValueDataType])[] = [
  ["50%", "csr", 1, 1, "float32"],
  ["95%", "bitmask", 1, 1, "int8"],
  ["2:4", "semi-structured", 1, 4, "float16"],
  ["4:1:8", "v:n:m:4:1:8", 4, 8, "bfloat16"],
  ["8:1:4", "v:n:m:8:1:4", 8, 4, "float32"],
  ["block:16x16@75%", "bsr:16x16", 16, 16, "int8"],
  ["block:32x32@50%", "bsr:32x32", 32, 32, "float32"],
];
const side = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(60, 64, 66, 100));
const tokens = fc.oneof(fc.integer({ min: 5, max: 40 }), fc.constantFrom(64, 65));
const up = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

describe.skipIf(processor === null)("Kernels for processors that play GPU (needs one)", () => {
  it.each([["dense", "dense", 1, 1, "float32"] as const, ...LAYOUTS])(
    "multiply by %s in %s on either side",
    { timeout: 120_000 },
    (pattern, layout, rows, cols, dtype) =>
      fc.assert(
        fc.asyncProperty(side, side, tokens, fc.boolean(), fc.nat(), (m, k, N, left, seed) => {
          const [M, K] = [up(m, rows), up(k, cols)];
          const dense = randomTensor(left ? [M, K] : [K, M], seed);
          const constant = pattern === "dense" ? dense : stored(dense, left ? [0, 1] : [1, 0], pattern, layout, dtype);
          const x = randomTensor(left ? [2, K, N] : [2, N, K], seed + 1);
          const inputs = left ? [{ constant }, x] : [x, { constant }];
          return check({ op: "MatMul", inputs, kernel: "linear", terms: K });
        }),
        { numRuns: 2 },
      ),
  );

  it("finish Linear with bias, activation and residual", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        ...([side, side, tokens, fc.constantFrom("", "Gelu", "Relu"), fc.boolean()] as const),
        ...([fc.constantFrom("", "before", "after"), fc.boolean(), fc.nat()] as const),
        (M, K, N, activation, bias, residual, sparse, seed) => {
          const dense = randomTensor([K, M], seed);
          const constant = sparse ? stored(dense, [1, 0], "80%", "csr", "int8") : dense;
          return check({
            ...{ op: "Linear", domain: "ai.nonzero", kernel: "linear", terms: K + 2 },
            inputs: [
              randomTensor([1, N, K], seed + 1),
              { constant },
              bias ? randomTensor([M], seed + 2) : null,
              residual ? randomTensor([1, N, M], seed + 3) : null,
            ],
            attributes: { transB: 0, activation, residual_position: residual || "after" },
          });
        },
      ),
      { numRuns: 6 },
    ),
  );

  it("slide over images, dense and sparse", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        ...([fc.integer({ min: 8, max: 20 }), fc.integer({ min: 1, max: 9 }), fc.nat()] as const),
        ...([fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean()] as const),
        (outputs, channels, seed, stride, kernel, sparse, line) => {
          const size = line ? [kernel] : [2, kernel];
          const dense = randomTensor([outputs, channels, ...size], seed);
          const perm = [0, ...size.map((_, i) => i + 2), 1];
          const constant = sparse ? stored(dense, perm, "90%", "csr", "float32") : dense;
          return check({
            ...{ op: "Conv", kernel: "conv", terms: channels * 2 * kernel },
            inputs: [
              randomTensor([2, channels, ...(line ? [37] : [9, 11])], seed + 1),
              { constant },
              { constant: randomTensor([outputs], seed + 2) },
            ],
            attributes: { strides: size.map(() => stride) },
          });
        },
      ),
      { numRuns: 6 },
    ),
  );

  // Fewer are left to another kernel.
  const queries = tokens.map((count) => Math.max(8, count));

  it("attend, heads apart, keys shared", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(
        ...([fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 3 }), queries, tokens] as const),
        ...([fc.constantFrom(1, 7, 36), fc.constantFrom(4, 5, 20), fc.nat()] as const),
        (kvHeads, sharing, queries, keys, headSize, valueSize, seed) =>
          check({
            ...{ op: "Attention", kernel: "attention", terms: 4 * headSize + keys },
            inputs: [
              randomTensor([2, kvHeads * sharing, queries, headSize], seed),
              randomTensor([2, kvHeads, keys, headSize], seed + 1),
              randomTensor([2, kvHeads, keys, valueSize], seed + 2),
            ],
          }),
      ),
      { numRuns: 5 },
    ),
  );
});
