import fc from "fast-check";
import { it } from "vitest";
import { allKernels } from "../../src/backends/webgpu/kernels/index.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../src/layouts/index.js";
import { parsePattern } from "../../src/sparsity/index.js";
import { type DataType, Tensor } from "../../src/tensor/index.js";
import { EXACT, type OperatorCase, randomTensor, type Tolerance } from "../support/check-kernel.js";
import { checkGraph, checkOperator, describeGpu, rounded } from "../support/check-webgpu.js";

/*
 * float16 and bfloat16 come from memory as they are, are computed with in float32, and are rounded once: results lie within float32's own error
 * and a unit in the last place of the evaluation's, which computes in double.
 */

const dtypes = fc.constantFrom<DataType>("float16", "bfloat16");
const size = fc.integer({ min: 1, max: 9 });
const shapes = fc.array(size, { minLength: 1, maxLength: 4 });
const runs = { numRuns: 20 };

/** Sums of up to a thousand numbers below 4, and what is made of them. */
const summed: Tolerance = (wanted) => 2 ** -12 * Math.max(1, Math.abs(wanted));

const short = (dtype: DataType, shape: readonly number[], seed: number, scale = 2): Tensor =>
  randomTensor(shape, seed, scale).to(dtype);
const ints = (values: readonly number[]) => ({ constant: Tensor.from("int64", [values.length], values) });

function check(c: OperatorCase, kernel: string, dtype: DataType, tolerance = summed): Promise<void> {
  return checkOperator(c, allKernels, kernel, rounded(dtype, tolerance));
}

const places = shapes.chain((shape) => fc.record({ shape: fc.constant(shape), axis: fc.nat(shape.length - 1) }));

describeGpu("16-bit floats on WebGPU", () => {
  it.each(["ReduceSum", "ReduceMean", "ReduceL2", "ReduceMax", "Softmax", "LogSoftmax", "CumSum", "ArgMax"])(
    "%s along any axis",
    async (op) => {
      const kernel = op.startsWith("Reduce")
        ? "reduce"
        : op.endsWith("Softmax")
          ? "softmax"
          : op === "CumSum"
            ? "cumulative sum"
            : "arg extreme";
      const one = async (shape: readonly number[], axis: number, dtype: DataType) => {
        const x = short(dtype, shape, axis + 1);
        const node: OperatorCase = op.startsWith("Reduce")
          ? { op, inputs: [x, ints([axis])] }
          : op === "CumSum"
            ? { op, inputs: [x, { constant: Tensor.scalar("int64", axis) }] }
            : { op, inputs: [x], attributes: { axis } };
        const exact = op === "ArgMax" || op === "ReduceMax";
        await check(node, kernel, dtype, exact ? EXACT : summed);
      };
      await fc.assert(
        fc.asyncProperty(places, dtypes, ({ shape, axis }, dtype) => one(shape, axis, dtype)),
        runs,
      );
      for (const axis of [0, 1]) await one([3, 101], axis, "float16");
    },
  );

  it("normalizations, weights of either size", async () => {
    const wide = (shape: readonly number[], seed: number) => randomTensor(shape, seed, 2);
    await fc.assert(
      fc.asyncProperty(dtypes, size, fc.integer({ min: 1, max: 70 }), async (dtype, rows, n) => {
        const x = short(dtype, [rows, n], n);
        const [scale, bias] = [short(dtype, [n], 2), short(dtype, [n], 3)];
        const layer = { op: "LayerNormalization", inputs: [x, scale, bias], outputs: 3 };
        // statistics of rows of equal numbers are as large as epsilon lets them
        await check({ ...layer, attributes: { epsilon: 0.1 } }, "normalize rows", dtype);
        const rms = { op: "RMSNormalization", version: 23, inputs: [x, dtype === "float16" ? scale : wide([n], 2)] };
        await check({ ...rms, attributes: { epsilon: 0.1 } }, "normalize rows", dtype);
      }),
      runs,
    );
    for (const dtype of ["float16", "bfloat16"] as const) {
      const x = short(dtype, [2, 6, 5, 3], 1);
      const weights = [short(dtype, [6], 2), short(dtype, [6], 3)];
      const group = { op: "GroupNormalization", inputs: [x, ...weights], attributes: { num_groups: 3 } };
      await check(group, "normalize groups", dtype);
      const variance = Tensor.from(dtype, [6], [1, 2, 0.5, 3, 1, 4]);
      const statistics = [wide([6], 4), variance.to("float32")];
      await check({ op: "BatchNormalization", inputs: [x, ...weights, ...statistics] }, "normalize batch", dtype);
      const attributes = { size: 3, alpha: 0.5, beta: 0.75, bias: 1.5 };
      await check({ op: "LRN", inputs: [x], attributes }, "local response normalization", dtype);
    }
  });

  it("pools", async () => {
    const pool = fc.constantFrom("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool");
    await fc.assert(
      fc.asyncProperty(pool, dtypes, size, size, async (op, dtype, h, w) => {
        const global = op.startsWith("Global");
        const attributes = global ? {} : { kernel_shape: [2, 2], pads: [1, 1, 1, 1], strides: [1, 2] };
        const node = { op, version: 22, inputs: [short(dtype, [2, 3, h, w], h)], attributes };
        await check(node, global ? "global-pool" : "pool", dtype, op.includes("Max") ? EXACT : summed);
      }),
      runs,
    );
  });

  it("products of activations, and with dense weights", async () => {
    // few shapes: the shaders take long to compile on processors
    for (const [dtype, m, k, n, constant] of [
      ["float16", 7, 13, 9, false],
      ["bfloat16", 2, 7, 5, true],
    ] as const) {
      const [a, b] = [short(dtype, [2, m, k], m, 1), short(dtype, constant ? [k, n] : [2, k, n], n, 1)];
      const inputs = [a, constant ? { constant: b } : b];
      await check({ op: "MatMul", inputs }, constant ? "linear" : "batch-matmul", dtype);
    }
  });

  it("products with sparse weights", async () => {
    for (const [dtype, pattern, layout] of [
      ["float16", "2:4", "semi-structured"],
      ["bfloat16", "unstructured@70%", "csr"],
    ] as const) {
      const dense = randomTensor([32, 64], 1);
      const matrix = toMatrix(dense, [0, 1]);
      const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
      const stored = parseLayout(layout).encode(matrix, mask, { values: dtype, dtype });
      const tokens = 3;
      const builder = new GraphBuilder();
      const x = builder.input("x", dtype, [tokens, 64]);
      const weight = builder.constant(new SparseTensor([32, 64], [0, 1], stored));
      builder.output(builder.add("Gemm", [x, weight], { transB: 1 }));
      const feeds = [short(dtype, [tokens, 64], 3, 1)];
      await checkGraph(builder.build(), feeds, allKernels, "linear", rounded(dtype, summed));
    }
  });

  it("convolutions, attention and rotary embeddings", async () => {
    const dtype = "float16";
    const weight = { constant: short(dtype, [8, 3, 3, 3], 2, 1) };
    const conv = {
      op: "Conv",
      inputs: [short(dtype, [1, 3, 9, 11], 1, 1), weight, { constant: short(dtype, [8], 3) }],
    };
    await check(conv, "conv", dtype);
    const [q, k, v] = [1, 2, 3].map((seed) => short(dtype, [1, 2, 7, 8], seed, 1));
    await check({ op: "Attention", version: 23, inputs: [q!, k!, v!] }, "attention", dtype);
    const caches = [short(dtype, [10, 4], 5, 1), short(dtype, [10, 4], 6, 1)];
    const ids = Tensor.from("int64", [1, 7], [0, 1, 2, 3, 4, 5, 9]);
    const rotary = { op: "RotaryEmbedding", version: 23, inputs: [q!, ...caches, ids] };
    await check(rotary, "rotary embedding", dtype);
  });

  it("keep to the GPU from one end of a network to the other", async () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float16", [5, 24]);
    const w = builder.constant(short("float16", [24, 24], 2, 0.3));
    const [scale, bias] = [builder.constant(short("float16", [24], 3)), builder.constant(short("float16", [24], 4))];
    const normal = builder.add("LayerNormalization", [x, scale, bias]);
    const hidden = builder.add("Gelu", [builder.add("Add", [builder.add("MatMul", [normal, w]), bias])]);
    builder.output(builder.add("Softmax", [builder.add("Transpose", [builder.add("Add", [hidden, x])])]));
    const kernels = ["normalize rows", "linear", "elementwise", "transpose", "softmax"];
    // every step rounds numbers below 16 to 11 bits, in both
    await checkGraph(builder.build(), [short("float16", [5, 24], 1)], allKernels, kernels, () => 0.02);
  });
});
