/**
 * Convolution, pooling, attention and batched multiplication, one node at a time on one thread: our kernels, dense and sparse, and
 * onnxruntime-web in turn.
 *   npx tsx bench/conv-lab.ts [part of a case's name [SECONDS [PATTERN/LAYOUT[/DTYPE] …]]]
 * Convolutions are also run with their weight pruned to each pattern given. PROFILE=1 adds where the time goes, launch by launch.
 */
import * as ort from "onnxruntime-web";
import { attentionKernels } from "../src/backends/wasm/kernels/attention/index.js";
import { deviceInfo, type Lowered, lower } from "../src/backends/wasm/kernels/batch-matmul/harness.node.js";
import { batchMatmulKernels } from "../src/backends/wasm/kernels/batch-matmul/index.js";
import { convKernels } from "../src/backends/wasm/kernels/conv/index.js";
import { poolKernels } from "../src/backends/wasm/kernels/pool/index.js";
import { writeModel } from "../src/formats/onnx/index.js";
import { type AttributeLike, type Constant, type Graph, GraphBuilder } from "../src/graph/index.js";
import { parseLayout, SparseTensor, toMatrix, type ValueDataType } from "../src/layouts/index.js";
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
  conv("resnet 3x3 128→128 @28", [1, 128, 28, 28], [128, 128, 3, 3], 1, 1),
  conv("resnet 1x1 256→64 @56", [1, 256, 56, 56], [64, 256, 1, 1], 1, 0),
  conv("esrgan 3x3 64→32 @128", [1, 64, 128, 128], [32, 64, 3, 3], 1, 1),
  conv("ocr 3x3 96→24 @160", [1, 96, 160, 160], [24, 96, 3, 3], 1, 1),
  conv("ocr 3x3 24→24 @80", [1, 24, 80, 80], [24, 24, 3, 3], 1, 1),
  conv("ocr 9x9 96→24 @160x160", [1, 96, 40, 40], [24, 96, 9, 9], 1, 4),
  conv("mobilenet 1x1 32→192 @28", [1, 32, 28, 28], [192, 32, 1, 1], 1, 0),
  conv("mobilenet 1x1 144→24 @56", [1, 144, 56, 56], [24, 144, 1, 1], 1, 0),
  conv("mobilenet 1x1 576→96 @14", [1, 576, 14, 14], [96, 576, 1, 1], 1, 0),
  conv("depthwise 5x5 192 @28", [1, 192, 28, 28], [192, 1, 5, 5], 1, 2, 192),
  conv("depthwise 3x3 512 @14", [1, 512, 14, 14], [512, 1, 3, 3], 1, 1, 512),
  conv("depthwise 3x3 96 @56", [1, 96, 56, 56], [96, 1, 3, 3], 1, 1, 96),
  conv("depthwise 3x3/2 144 @56", [1, 144, 56, 56], [144, 1, 3, 3], 2, 1, 144),
  conv("grouped 3x3 128 g32 @56", [1, 128, 56, 56], [128, 4, 3, 3], 1, 1, 32),
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

/** A convolution's weight pruned by magnitude, as `PATTERN/LAYOUT[/DTYPE]` says. */
function pruned(weight: Tensor, text: string): SparseTensor {
  const [pattern, layout, values = "float32"] = text.split("/") as [string, string, ValueDataType?];
  const perm = [0, ...weight.shape.slice(2).map((_, i) => i + 2), 1];
  const matrix = toMatrix(weight, perm);
  const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(Math.abs) });
  return new SparseTensor(weight.shape, perm, parseLayout(layout).encode(matrix, mask, { values }));
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Contestant {
  readonly name: string;
  readonly times: number[];
  run(): unknown;
  /** Largest difference from onnxruntime on the same weight. */
  difference?(): Promise<number>;
  readonly lowered?: Lowered;
}

const [part = "", seconds = "1.5", ...patterns] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const kernels = [...convKernels, ...poolKernels, ...attentionKernels, ...batchMatmulKernels];
const device = deviceInfo();
let end = 1024;

async function sessionOf(c: Case, tensors: readonly Tensor[], feeds: readonly Tensor[]) {
  const graph = graphOf(c, c.theirs ?? c, tensors);
  const opsets = new Map([
    ["", c.version ?? 21],
    ["com.microsoft", 1],
  ]);
  const bytes = writeModel({ graph, opsets, irVersion: 10, producer: "conv-lab", metadata: new Map() });
  const session = await ort.InferenceSession.create(bytes);
  const named = Object.fromEntries(
    feeds.map((feed, i) => [graph.inputs[i]!.name, new ort.Tensor("float32", feed.data as Float32Array, feed.shape)]),
  );
  return async () => Object.values(await session.run(named))[0]!.data as Float32Array;
}

/** The case on our kernels, with the weight as it is or pruned. */
function ours(c: Case, tensors: readonly (Tensor | null)[], feeds: readonly Tensor[], text: string): Contestant | null {
  const weight = text === "dense" ? null : pruned(tensors[1]!, text);
  const constants: readonly (Constant | null)[] = weight ? (tensors as (Constant | null)[]).with(1, weight) : tensors;
  const lowered = lower(graphOf(c, c, constants), feeds, kernels, device, 0, end);
  if (lowered === null) return null;
  end = lowered.end;
  lowered.write(feeds);
  return {
    name: text,
    times: [],
    run: lowered.run,
    lowered,
    async difference() {
      const twin = await sessionOf(c, (weight ? tensors.with(1, weight.toDense()) : tensors) as Tensor[], feeds);
      const expected = await twin();
      lowered.run();
      const actual = lowered.read()[0]!.numbers();
      return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
    },
  };
}

console.log(`relaxed SIMD ${device.relaxed}; medians; GFLOP/s of the dense form`);
for (const c of cases.filter(({ name }) => name.includes(part))) {
  end = 1024;
  const tensors = c.inputs.map((shape) => (shape === null ? null : random(shape)));
  const feeds = tensors.filter((t, i) => t !== null && i < (c.constants ?? tensors.length)) as Tensor[];
  const texts = ["dense", ...(c.op === "Conv" && c.attributes!.group === 1 ? patterns : [])];
  const mine = texts.map((text) => ours(c, tensors, feeds, text)).filter((one) => one !== null);
  const theirs: Contestant = { name: "ort", times: [], run: await sessionOf(c, tensors as Tensor[], feeds) };
  const all = [...mine, theirs];
  const begin = performance.now();
  for (let round = 0; round < 2000 && (performance.now() - begin < 1000 * Number(seconds) || round < 8); round++) {
    for (const { run, times } of all) {
      const start = performance.now();
      await run();
      if (round >= 3) times.push(performance.now() - start);
    }
  }
  console.log(c.name);
  const [dense, peer] = [median(mine[0]?.times ?? []), median(theirs.times)];
  for (const { name, times, lowered, difference } of all) {
    const time = median(times);
    console.log(
      `  ${name.padEnd(26)} ${time.toFixed(3).padStart(8)} ms ${((2 * c.multiplyAdds) / time / 1e6).toFixed(1).padStart(6)} GFLOP/s` +
        `  ÷dense ${(dense / time).toFixed(2).padStart(5)}  ÷ort ${(peer / time).toFixed(2).padStart(5)}` +
        (difference ? `  difference ${(await difference()).toExponential(1)}` : ""),
    );
    if (process.env.PROFILE && lowered) {
      for (const [key, ms] of lowered.profile(200)) console.log(`      ${ms.toFixed(3)} ms ${key}`);
    }
  }
}
