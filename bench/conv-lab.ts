/**
 * Convolution, pooling, attention and batched multiplication, one node at a time on one thread: our kernels and onnxruntime-web in turn.
 *   npx tsx bench/conv-lab.ts [part of a case's name]
 */
import * as ort from "onnxruntime-web";
import { attentionKernels } from "../src/backends/wasm/kernels/attention/index.js";
import { deviceInfo, lower } from "../src/backends/wasm/kernels/batch-matmul/harness.node.js";
import { batchMatmulKernels } from "../src/backends/wasm/kernels/batch-matmul/index.js";
import { convKernels } from "../src/backends/wasm/kernels/conv/index.js";
import { poolKernels } from "../src/backends/wasm/kernels/pool/index.js";
import { writeModel } from "../src/formats/onnx/index.js";
import { type AttributeLike, type Constant, type Graph, GraphBuilder } from "../src/graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../src/layouts/index.js";
import { parsePattern } from "../src/sparsity/index.js";
import { Tensor } from "../src/tensor/index.js";

interface Case {
  readonly name: string;
  readonly op: string;
  readonly domain?: string;
  readonly version?: number;
  /** Shapes of the inputs; those from `constants` on are constants. */
  readonly inputs: readonly (readonly number[] | null)[];
  readonly constants?: number;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  /** Multiply-adds of the dense form. */
  readonly multiplyAdds: number;
  /** Pattern and layout of our second input; onnxruntime gets the same weight with its zeros. */
  readonly sparse?: readonly [pattern: string, layout: string];
  /** What onnxruntime is given instead, where it has a faster operator for the same. */
  readonly theirs?: Pick<Case, "op" | "domain" | "attributes">;
}

const random = (shape: readonly number[]): Tensor =>
  Tensor.from(
    "float32",
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.random() - 0.5),
  );

const matmul = (name: string, a: readonly number[], b: readonly number[]): Case => ({
  name: `matmul ${name}`,
  op: "MatMul",
  inputs: [a, b],
  multiplyAdds: a.reduce((x, y) => x * y, 1) * b.at(-1)!,
});

const conv = (
  name: string,
  x: readonly number[],
  w: readonly number[],
  stride: number,
  pad: number,
  group = 1,
): Case => {
  const rank = x.length - 2;
  const pixels = x.slice(2).map((size, i) => Math.floor((size + 2 * pad - w[2 + i]!) / stride) + 1);
  return {
    name: `conv ${name}`,
    op: "Conv",
    inputs: [x, w, [w[0]!]],
    constants: 1,
    attributes: { strides: new Array<number>(rank).fill(stride), pads: new Array<number>(2 * rank).fill(pad), group },
    multiplyAdds: pixels.reduce((a, b) => a * b, 1) * w.reduce((a, b) => a * b, 1),
  };
};

const sparse = (c: Case, pattern: string, layout: string): Case => ({
  ...c,
  name: `${c.name} ${pattern}`,
  sparse: [pattern, layout],
});

const attention = (name: string, heads: number, t: number, s: number, d: number): Case => ({
  name: `attention ${name}`,
  op: "Attention",
  version: 23,
  inputs: [
    [1, t, heads * d],
    [1, s, heads * d],
    [1, s, heads * d],
  ],
  attributes: { q_num_heads: heads, kv_num_heads: heads },
  theirs: { op: "MultiHeadAttention", domain: "com.microsoft", attributes: { num_heads: heads } },
  multiplyAdds: heads * t * s * d * 2,
});

const cases: readonly Case[] = [
  matmul("qk 8h 200 d36", [8, 200, 36], [8, 36, 200]),
  matmul("pv 8h 200 d36", [8, 200, 200], [8, 200, 36]),
  matmul("qk 12h 197 d64", [12, 197, 64], [12, 64, 197]),
  matmul("pv 12h 197 d64", [12, 197, 197], [12, 197, 64]),
  matmul("qk 6h 1500 d64", [6, 1500, 64], [6, 64, 1500]),
  matmul("pv 6h 1500 d64", [6, 1500, 1500], [6, 1500, 64]),
  matmul("qk decode 8h s1500 d64", [8, 1, 64], [8, 64, 1500]),
  matmul("pv decode 8h s1500 d64", [8, 1, 1500], [8, 1500, 64]),
  attention("8h 415 d36", 8, 415, 415, 36),
  attention("12h 197 d64", 12, 197, 197, 64),
  attention("6h 1500 d64", 6, 1500, 1500, 64),
  attention("cross decode 8h s1500 d64", 8, 1, 1500, 64),
  {
    name: "attention decode from a cache 8h s1500 d64",
    op: "Attention",
    version: 23,
    inputs: [
      [1, 8, 1, 64],
      [1, 8, 1500, 64],
      [1, 8, 1500, 64],
    ],
    multiplyAdds: 8 * 1500 * 64 * 2,
  },
  conv("resnet 7x7/2 3→64", [1, 3, 224, 224], [64, 3, 7, 7], 2, 3),
  conv("resnet 1x1 64→256 @56", [1, 64, 56, 56], [256, 64, 1, 1], 1, 0),
  conv("resnet 3x3 64→64 @56", [1, 64, 56, 56], [64, 64, 3, 3], 1, 1),
  conv("resnet 3x3/2 128→128 @56", [1, 128, 56, 56], [128, 128, 3, 3], 2, 1),
  conv("resnet 3x3 256→256 @14", [1, 256, 14, 14], [256, 256, 3, 3], 1, 1),
  conv("resnet 1x1 1024→256 @14", [1, 1024, 14, 14], [256, 1024, 1, 1], 1, 0),
  conv("resnet 3x3 512→512 @7", [1, 512, 7, 7], [512, 512, 3, 3], 1, 1),
  conv("resnet 1x1/2 1024→2048 @14", [1, 1024, 14, 14], [2048, 1024, 1, 1], 2, 0),
  conv("moonshine 1→288 k127/64, 10 s", [1, 1, 160000], [288, 1, 127], 64, 0),
  conv("moonshine 288→576 k7/3", [1, 288, 2499], [576, 288, 7], 3, 0),
  conv("moonshine 576→288 k3/2", [1, 576, 831], [288, 576, 3], 2, 0),
  conv("depthwise 3x3 96 @56", [1, 96, 56, 56], [96, 1, 3, 3], 1, 1, 96),
  conv("depthwise 3x3/2 144 @56", [1, 144, 56, 56], [144, 1, 3, 3], 2, 1, 144),
  conv("grouped 3x3 128 g32 @56", [1, 128, 56, 56], [128, 4, 3, 3], 1, 1, 32),
  sparse(conv("resnet 3x3 64→64 @56", [1, 64, 56, 56], [64, 64, 3, 3], 1, 1), "2:4", "semi-structured"),
  sparse(conv("resnet 3x3 256→256 @14", [1, 256, 14, 14], [256, 256, 3, 3], 1, 1), "2:4", "semi-structured"),
  sparse(conv("resnet 3x3 256→256 @14", [1, 256, 14, 14], [256, 256, 3, 3], 1, 1), "90%", "csr"),
  sparse(conv("resnet 1x1 1024→256 @14", [1, 1024, 14, 14], [256, 1024, 1, 1], 1, 0), "80%", "csr"),
  sparse(conv("moonshine 288→576 k7/3", [1, 288, 2499], [576, 288, 7], 3, 0), "2:4", "semi-structured"),
  sparse(conv("moonshine 288→576 k7/3", [1, 288, 2499], [576, 288, 7], 3, 0), "90%", "csr"),
  sparse(conv("moonshine 576→288 k3/2", [1, 576, 831], [288, 576, 3], 2, 0), "80%", "csr"),
  {
    name: "transposed 4x4/2 128→64 @28",
    op: "ConvTranspose",
    inputs: [[1, 128, 28, 28], [128, 64, 4, 4], [64]],
    constants: 1,
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1] },
    multiplyAdds: 128 * 28 * 28 * 64 * 16,
  },
  {
    name: "pool max 3x3/2 64 @112",
    op: "MaxPool",
    inputs: [[1, 64, 112, 112]],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    multiplyAdds: 64 * 56 * 56 * 9,
  },
  {
    name: "pool average 3x3 192 @28",
    op: "AveragePool",
    inputs: [[1, 192, 28, 28]],
    attributes: { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] },
    multiplyAdds: 192 * 28 * 28 * 9,
  },
  { name: "pool global average 2048 @7", op: "GlobalAveragePool", inputs: [[1, 2048, 7, 7]], multiplyAdds: 2048 * 49 },
];

function graphOf(
  c: Case,
  node: Pick<Case, "op" | "domain" | "attributes">,
  tensors: readonly (Constant | null)[],
): Graph {
  const builder = new GraphBuilder();
  const values = tensors.map((tensor, i) => {
    if (tensor === null) return null;
    return i >= (c.constants ?? tensors.length)
      ? builder.constant(tensor)
      : builder.input(`x${i}`, "float32", tensor.shape);
  });
  builder.output(
    builder.add(node.op, values, node.attributes ?? {}, {
      domain: node.domain ?? "",
      version: node.domain ? 1 : (c.version ?? 21),
    }),
    "y",
  );
  return builder.build();
}

/** A convolution's weight pruned by magnitude. */
function pruned(weight: Tensor, pattern: string, layout: string): SparseTensor {
  const perm = [0, ...weight.shape.slice(2).map((_, i) => i + 2), 1];
  const matrix = toMatrix(weight, perm);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  return new SparseTensor(weight.shape, perm, parseLayout(layout).encode(matrix, mask));
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

ort.env.wasm.numThreads = 1;
const kernels = [...convKernels, ...poolKernels, ...attentionKernels, ...batchMatmulKernels];
const device = deviceInfo();
console.log(`relaxed SIMD ${device.relaxed}; times in ms, GFLOP/s at the minimum`);
for (const c of cases.filter(({ name }) => name.includes(process.argv[2] ?? ""))) {
  const tensors = c.inputs.map((shape) => (shape === null ? null : random(shape)));
  const weight = c.sparse && pruned(tensors[1]!, ...c.sparse);
  const constants: readonly (Constant | null)[] = tensors;
  const graph = graphOf(c, c, weight ? constants.with(1, weight) : constants);
  const theirGraph = graphOf(c, c.theirs ?? c, weight ? tensors.with(1, weight.toDense()) : tensors);
  const feeds = tensors.filter((t, i) => t !== null && i < (c.constants ?? tensors.length)) as Tensor[];
  const ours = lower(graph, feeds, kernels, device);
  const opsets = new Map([
    ["", c.version ?? 21],
    ["com.microsoft", 1],
  ]);
  const bytes = writeModel({ graph: theirGraph, opsets, irVersion: 10, producer: "conv-lab", metadata: new Map() });
  const session = await ort.InferenceSession.create(bytes);
  const theirFeeds = Object.fromEntries(
    feeds.map((feed, i) => [
      theirGraph.inputs[i]!.name,
      new ort.Tensor("float32", feed.data as Float32Array, feed.shape),
    ]),
  );
  if (ours === null) {
    console.log(`${c.name.padEnd(36)} no kernel`);
    continue;
  }
  ours.write(feeds);
  const times: [number[], number[]] = [[], []];
  const begin = performance.now();
  let result: ort.InferenceSession.OnnxValueMapType | undefined;
  for (let round = 0; round < 400 && (performance.now() - begin < 1500 || round < 12); round++) {
    const t0 = performance.now();
    ours.run();
    const t1 = performance.now();
    result = await session.run(theirFeeds);
    const t2 = performance.now();
    if (round >= 4) {
      times[0].push(t1 - t0);
      times[1].push(t2 - t1);
    }
  }
  const [mine, theirs] = times.map((t) => ({ min: Math.min(...t), median: median(t) })) as [
    { min: number; median: number },
    { min: number; median: number },
  ];
  const expected = Object.values(result!)[0]!.data as Float32Array;
  const actual = ours.read()[0]!.numbers();
  let difference = 0;
  for (let i = 0; i < expected.length; i++) difference = Math.max(difference, Math.abs(expected[i]! - actual[i]!));
  const rate = (ms: number): string => ((2 * c.multiplyAdds) / ms / 1e6).toFixed(1).padStart(5);
  console.log(
    `${c.name.padEnd(36)} ours ${mine.min.toFixed(3)} (${rate(mine.min)})  ort ${theirs.min.toFixed(3)} (${rate(theirs.min)})` +
      `  ratio min ${(theirs.min / mine.min).toFixed(2)} median ${(theirs.median / mine.median).toFixed(2)}  difference ${difference.toExponential(1)}`,
  );
}
