import { expect, it } from "vitest";
import { Gpu, Session } from "../../src/backends/webgpu/index.js";
import { elementwiseKernel } from "../../src/backends/webgpu/kernels/elementwise/index.js";
import { matmulKernels } from "../../src/backends/webgpu/kernels/matmul/index.js";
import { moveKernels } from "../../src/backends/webgpu/kernels/move/index.js";
import { reduceKernels } from "../../src/backends/webgpu/kernels/reduce/index.js";
import { widened } from "../../src/backends/webgpu/kernels/widened.js";
import { Executor } from "../../src/compiler/index.js";
import { type Constant, type Graph, GraphBuilder } from "../../src/graph/index.js";
import { SparseTensor, type ValueDataType } from "../../src/layouts/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { type DataType, Tensor } from "../../src/tensor/index.js";
import { denseWeight, sparseWeight } from "../support/capture-webgpu.js";
import { randomTensor } from "../support/check-kernel.js";
import { describeGpu } from "../support/check-webgpu.js";
import { testGpu } from "../support/webgpu.js";

/** The tests' GPU as one whose buffers are small. */
async function smallGpu(most: number): Promise<Gpu> {
  const gpu = (await testGpu()) as Gpu;
  const limits = { ...gpu.info.limits, maxStorageBufferBindingSize: most, maxBufferSize: most };
  return Object.assign(new Gpu(gpu.device, false), { info: { ...gpu.info, limits }, pipelines: gpu.pipelines });
}

/** Without those of processors that play GPU, which leave what does not fit to the others. */
const kernels = [elementwiseKernel, ...moveKernels, ...matmulKernels.map(widened), ...reduceKernels];

/** Runs a graph where storage buffers hold `most` bytes; the sizes of all that it made in memory. */
async function runSmall(
  graph: Graph,
  feeds: readonly Tensor[],
  most: number,
): Promise<{ got: Tensor[]; sizes: number[] }> {
  const gpu = await smallGpu(most);
  const sizes: number[] = [];
  const { device } = gpu;
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    sizes.push(descriptor.size);
    return create(descriptor);
  };
  try {
    const session = new Session(gpu, undefined, kernels);
    const executor = new Executor(graph, session);
    expect(executor.describe(feeds).map(({ kernel }) => kernel)).not.toContain("evaluation");
    const got = (await executor.run(feeds)) as Tensor[];
    executor.release();
    await session.release();
    return { got, sizes };
  } finally {
    device.createBuffer = create;
  }
}

function expectClose(got: Tensor, wanted: Tensor, tolerance: number): void {
  expect([got.dtype, ...got.shape]).toEqual([wanted.dtype, ...wanted.shape]);
  const [a, b] = [got.numbers(), wanted.numbers()];
  for (let i = 0; i < b.length; i++) {
    if (a[i] === b[i] || Math.abs(a[i]! - b[i]!) <= tolerance) continue;
    expect.fail(`element ${i} of [${wanted.shape}] is ${a[i]}, not ${b[i]}`);
  }
}

const [M, K] = [640, 128];

/** act(x · Wᵀ + bias) + residual, with a W stored [M, K]. */
function linearGraph(w: Constant, [rows, cols]: readonly [number, number], tokens: number): Graph {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", [tokens, cols]);
  const residual = builder.input("residual", "float32", [tokens, rows]);
  const bias = builder.constant(randomTensor([rows], 7));
  const inputs = [x, builder.constant(w), bias, residual];
  builder.output(builder.add("Linear", inputs, { transB: 1, activation: "Relu" }, { domain: "ai.nonzero" }));
  return builder.build();
}

/** A float32 sum of K products and two more, each at most 1 (int8's factors at most 1/127 off), in any order. */
const TOLERANCE = (K + 6) ** 2 * 2 ** -24;

/** Shaders for many tokens take long to compile on a processor: once for each of their forms. */
const LAYOUTS: readonly (readonly [
  layout: string,
  pattern: string,
  values: ValueDataType,
  tokens: readonly number[],
])[] = [
  ["semi-structured", "2:4", "float16", [1, 5]],
  ["v:n:m:8:1:4", "8:1:4", "float32", [1, 5]],
  ["v:n:m:20:2:8", "20:2:8", "float32", [2]],
  ["v:n:m:160:2:8", "160:2:8", "float32", [3]],
  ["bsr:16x16", "block:16x16@50%", "int8", [1, 5]],
  ["bsr:40x4", "block:40x4@50%", "float32", [2]],
  ["csr", "80%", "float32", [4]],
  ["bitmask", "50%", "float16", [1]],
];

/** Runs a graph as it is, and where buffers hold no more than `share` of its largest one; whether both give the same. */
async function checkSplit(graph: Graph, feeds: readonly Tensor[], share: number, tolerance: number): Promise<void> {
  const wanted = evaluateGraph(graph, feeds, operators);
  const whole = await runSmall(graph, feeds, 2 ** 24);
  const largest = Math.max(...whole.sizes);
  const most = 16 * Math.ceil((largest * share) / 16);
  const { got, sizes } = await runSmall(graph, feeds, most);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
  expect(sizes.reduce((a, b) => a + b)).toBeGreaterThan(largest);
  got.forEach((tensor, i) => expectClose(tensor, wanted[i]!, tolerance));
  whole.got.forEach((tensor, i) => expectClose(tensor, wanted[i]!, tolerance));
}

describeGpu("a GPU with small buffers", () => {
  it.each(LAYOUTS)(
    "multiplies by %s in several launches",
    { timeout: 60_000 },
    async (layout, pattern, values, counts) => {
      const w = sparseWeight(M, K, pattern, layout, values);
      const share = /160|20|40/.test(layout) ? 0.6 : 0.35; // bands and blocks stay whole, and parts begin at multiples of 64 rows
      for (const tokens of counts) {
        const feeds = [randomTensor([tokens, K], 1), randomTensor([tokens, M], 2)];
        await checkSplit(linearGraph(w, [M, K], tokens), feeds, share, TOLERANCE);
      }
    },
  );

  it("multiplies by dense weights in several launches, on either side, in batches, for few tokens and many", async () => {
    for (const [rows, tokens] of [
      [646, 3],
      [643, 9],
    ] as const) {
      const w = denseWeight(rows, K);
      const feeds = [randomTensor([tokens, K], 1), randomTensor([tokens, rows], 2)];
      await checkSplit(linearGraph(w, [rows, K], tokens), feeds, 0.3, TOLERANCE);
    }
    const half = new GraphBuilder();
    const short = half.constant(denseWeight(320, K).to("float16"));
    half.output(half.add("Gemm", [half.input("x", "float16", [1, K]), short], { transB: 1 }));
    await checkSplit(half.build(), [randomTensor([1, K], 5).to("float16")], 0.3, 2 ** -6); // y is rounded to float16, below 16
    const columns = new GraphBuilder();
    const right = columns.constant(denseWeight(K, 644));
    columns.output(columns.add("MatMul", [columns.input("x", "float32", [3, K]), right]));
    await checkSplit(columns.build(), [randomTensor([3, K], 3)], 0.3, TOLERANCE);
    const builder = new GraphBuilder();
    const left = builder.constant(denseWeight(260, K));
    builder.output(builder.add("MatMul", [left, builder.input("x", "float32", [2, K, 5])]));
    await checkSplit(builder.build(), [randomTensor([2, K, 5], 4)], 0.3, TOLERANCE);
  });

  it("gathers from a table in parts, which a product that is stored the same way shares", async () => {
    const [rows, width] = [1000, 12];
    const indices = Tensor.from("int64", [2, 5], [0, 999, -1, 400, 63, 64, -1000, 500, 127, 128]);
    for (const dtype of ["float32", "int64", "float16", "bool"] as const satisfies DataType[]) {
      const builder = new GraphBuilder();
      const table = builder.constant(
        Tensor.from(
          dtype,
          [rows, width],
          Float32Array.from({ length: rows * width }, (_, i) => (i * 7) % 2048),
        ),
      );
      builder.output(builder.add("Gather", [table, builder.input("i", "int64", [2, 5])], { axis: 0 }));
      await checkSplit(builder.build(), [indices], 0.3, 0);
    }
    const builder = new GraphBuilder();
    const table = builder.constant(denseWeight(rows, width));
    const rowsOf = builder.add("Gather", [table, builder.input("i", "int32", [2])], { axis: 0 });
    builder.output(builder.add("Gemm", [rowsOf, table], { transB: 1 }));
    const feeds = [Tensor.from("int32", [2], [3, 998])];
    await checkSplit(builder.build(), feeds, 0.3, TOLERANCE);
    const { sizes } = await runSmall(builder.build(), feeds, 16000);
    expect(sizes.filter((size) => size >= 8000).reduce((a, b) => a + b)).toBeLessThan(1.5 * 4 * rows * width);
  });

  it("gathers from a table that is stored sparse", async () => {
    const builder = new GraphBuilder();
    const sparse = sparseWeight(512, 16, "2:4", "semi-structured", "float32");
    const table = builder.constant(new SparseTensor(sparse.shape, sparse.perm, sparse.stored));
    builder.output(builder.add("Gather", [table, builder.input("i", "int32", [3])], { axis: 0 }));
    await checkSplit(builder.build(), [Tensor.from("int32", [3], [511, 0, 300])], 0.3, 0);
  });

  it("reads outputs back that do not fit in one buffer together", async () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [100]);
    for (const op of ["Relu", "Neg", "Abs"]) builder.output(builder.add(op, [x]));
    const feeds = [randomTensor([100], 1)];
    const { got, sizes } = await runSmall(builder.build(), feeds, 800);
    expect(Math.max(...sizes)).toBe(800);
    evaluateGraph(builder.build(), feeds, operators).forEach((wanted, i) => expectClose(got[i]!, wanted, 0));
  });

  it("refuses what cannot be in parts, and says which value of which node it is", async () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [64, 64]);
    builder.output(builder.add("Softmax", [x], {}, { name: "soft" }));
    const refused = { name: "NonzeroError", code: "device", place: { node: "soft", field: "x" } };
    await expect(runSmall(builder.build(), [randomTensor([64, 64], 1)], 2 ** 13)).rejects.toMatchObject(refused);

    const wide = new GraphBuilder();
    const w = wide.constant(denseWeight(100, 256));
    wide.output(wide.add("MatMul", [w, wide.input("x", "float32", [256, 1])], {}, { name: "wide" }));
    const message = expect.stringMatching(/node 'wide'.*rows of the weight take 65536 bytes; the GPU's limit is 8192/);
    await expect(runSmall(wide.build(), [randomTensor([256, 1], 1)], 8192)).rejects.toMatchObject({ message });

    const table = new GraphBuilder();
    const constant = table.constant(denseWeight(64, 64));
    table.output(table.add("Add", [table.input("x", "float32", [1, 64]), constant], {}, { name: "add" }));
    const place = { node: "add", field: constant.name };
    await expect(runSmall(table.build(), [randomTensor([1, 64], 1)], 8192)).rejects.toMatchObject({ place });
  });
});
