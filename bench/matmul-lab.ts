import { create, toBinary } from "@bufbuild/protobuf";
import * as ort from "onnxruntime-web";
import { NO_EPILOGUE, type Order } from "../src/backends/specs/matmul/epilogue.js";
import { detectDevice } from "../src/backends/wasm/device.js";
import { PROGRAM_HEADER, STEP, STEP_BYTES } from "../src/backends/wasm/driver.js";
import { installNodeHost } from "../src/backends/wasm/host.node.js";
import type { Argument, Buffer, KernelCode, Lowering } from "../src/backends/wasm/kernel.js";
import { lowerDots } from "../src/backends/wasm/kernels/matmul/dots.js";
import { lowerMaskDots } from "../src/backends/wasm/kernels/matmul/mask-dots.js";
import {
  lowerPanelMultiply,
  type PanelSchedule,
  panelsFor,
  scheduleFor,
} from "../src/backends/wasm/kernels/matmul/panel.js";
import { pack } from "../src/backends/wasm/kernels/matmul/panels.js";
import { lowerSparseDots } from "../src/backends/wasm/kernels/matmul/sparse-dots.js";
import { Store } from "../src/backends/wasm/store.js";
import { ModelProtoSchema } from "../src/formats/onnx/onnx_pb.js";
import { type Constant, Value } from "../src/graph/index.js";
import { parseLayout, SparseTensor, type ValueDataType } from "../src/layouts/index.js";
import { parsePattern } from "../src/sparsity/index.js";
import { Tensor } from "../src/tensor/index.js";

/**
 * Times Y = W · X (W [M, K] constant) kernel by kernel, in turn, in one process: `tsx bench/matmul-lab.ts M K N THREADS CASE…`, a case being
 * `ort`, `ort-right` (weight as the right operand), `dense` or `PATTERN/LAYOUT[/DTYPE]`, each with `~width,slab,block` to
 * override the schedule `^token` for token-major x and y, `^dots` for dot products and `^masks` for those of
 * bits and values. SECONDS in the environment sets the time for all samples;
 * PRODUCT=1 times
 * the last launch, the product, without what goes before it (packing x).
 */
const [M = 3072, K = 768, N = 256, threads = 1] = process.argv.slice(2, 6).map(Number);
const cases = process.argv.slice(6);

installNodeHost();
const device = detectDevice(threads);

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return (seed >>> 8) / 2 ** 23 - 1;
};
const fill = (count: number): Float32Array => Float32Array.from({ length: count }, random);
const dense = fill(M * K);
const x = fill(K * N);

interface Case {
  readonly name: string;
  readonly kept: number;
  run(): unknown;
  check(): number;
}

/** Largest error of some outputs, relative to the sum of magnitudes. */
function worst(weight: Float32Array, y: (m: number, n: number) => number): number {
  let error = 0;
  for (let i = 0; i < 400; i++) {
    const m = i < 20 ? i % M : i < 40 ? M - 1 - ((i % M) % 20) : Math.floor(Math.random() * M);
    const n = i % 7 === 0 ? N - 1 : Math.floor(Math.random() * N);
    let sum = 0;
    let scale = 1e-30;
    for (let k = 0; k < K; k++) {
      sum += weight[m * K + k]! * x[k * N + n]!;
      scale += Math.abs(weight[m * K + k]! * x[k * N + n]!);
    }
    error = Math.max(error, Math.abs(y(m, n) - sum) / scale || 0);
    if (Number.isNaN(y(m, n))) error = Number.NaN;
  }
  return error;
}

function ours(text: string): Case {
  const [left, options = ""] = text.split("~");
  const dots = /\^(dots|masks)/.test(text);
  const token = dots || text.includes("^token");
  const order: Order = token ? "token-major" : "feature-major";
  const [pattern = "", layout, dtype = "float32"] = left!.replace(/\^\w+/, "").split("/");
  let constant: Constant = new Tensor("float32", [M, K], dense);
  let weight = dense;
  let kept = M * K;
  if (pattern !== "dense") {
    const scores = { rows: M, cols: K, data: dense.map(Math.abs) };
    const mask = parsePattern(pattern).select(scores);
    const stored = parseLayout(layout!).encode({ rows: M, cols: K, data: dense }, mask, {
      values: dtype as ValueDataType,
    });
    weight = parseLayout(layout!).decode(stored).data;
    constant = new SparseTensor([M, K], [0, 1], stored);
    kept = mask.data.reduce((a, b) => a + b, 0);
  }
  const base = scheduleFor(constant, N);
  const [width = base.width, slab = base.slab, block = base.block] = options
    .replace(/\^\w+/g, "")
    .split(",")
    .filter(Boolean)
    .map(Number);
  const schedule: PanelSchedule = { width, slab, block };
  const store = new Store(device);
  const place = (bytes: number): Buffer => ({ bytes, address: store.allocate(bytes) });
  const launches: { code: KernelCode; args: readonly Argument[]; chunks: number }[] = [];
  const value = new Value("w");
  const to: Lowering = {
    device,
    type: () => ({ dtype: "float32", shape: [M, K] }),
    constant: () => constant,
    buffer: () => place(0),
    scratch: place,
    prepared(_value, _key, bytes, write) {
      const buffer = place(bytes);
      const target = new Uint8Array(bytes);
      write(target);
      new Uint8Array(store.buffer, buffer.address!, bytes).set(target);
      return buffer;
    },
    derived: (_value, _key, make) => make(),
    launch: (code, args, chunks) => launches.push({ code, args, chunks }),
    alias() {},
  };
  const input = place(x.byteLength);
  const output = place(M * N * 4);
  if (dots) {
    const shared = { weight: value, perm: [0, 1], K, N, x: input, y: output, order, yStride: M };
    const spec = { ...shared, epilogue: NO_EPILOGUE };
    if (!(constant instanceof SparseTensor)) lowerDots(spec, to);
    else if (text.includes("^masks")) lowerMaskDots(spec, constant, to);
    else lowerSparseDots({ ...spec, slab }, constant, to);
  } else lowerPanels();
  function lowerPanels(): void {
    const panels = panelsFor(value, undefined, K, N, to, schedule);
    const packed = pack(to, panels, order, input, token ? K : N);
    lowerPanelMultiply(
      {
        weight: value,
        perm: [0, 1],
        panels,
        x: packed,
        y: output,
        order,
        yStride: token ? M : N,
        epilogue: NO_EPILOGUE,
        schedule,
      },
      to,
    );
  }
  const programOf = (list: typeof launches): number => {
    const argsAt = PROGRAM_HEADER + STEP_BYTES * list.length;
    const program = store.allocate(argsAt + 4 * list.reduce((sum, { args }) => sum + args.length, 0));
    const kernels = list.map(({ code }) => store.kernel(code));
    const words = new Int32Array(store.buffer, program);
    words[16] = list.length;
    let arg = argsAt / 4;
    list.forEach(({ args, chunks }, s) => {
      const at = (PROGRAM_HEADER + STEP_BYTES * s) / 4;
      words[at + STEP.kernel / 4] = kernels[s]!;
      words[at + STEP.args / 4] = program + 4 * arg;
      words[at + STEP.chunks / 4] = chunks;
      for (const a of args)
        words[arg++] = typeof a === "number" ? a : "buffer" in a ? a.buffer.address! + a.offset : a.address!;
    });
    return program;
  };
  const all = programOf(launches);
  const product = process.env.PRODUCT ? programOf(launches.slice(-1)) : all;
  const xs = new Float32Array(store.buffer, input.address!, x.length);
  if (token) for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) xs[n * K + k] = x[k * N + n]!;
  else xs.set(x);
  const y = new Float32Array(store.buffer, output.address!, M * N).fill(Number.NaN);
  store.run(all, threads > 1);
  return {
    name: text,
    kept,
    run: () => store.run(product, threads > 1),
    check: () => worst(weight, (m, n) => y[token ? n * M + m : m * N + n]!),
  };
}

async function theirs(name: string): Promise<Case> {
  const right = name === "ort-right";
  ort.env.wasm.numThreads = threads;
  const raw = right ? new Float32Array(K * M) : dense;
  if (right) for (let k = 0; k < K; k++) for (let m = 0; m < M; m++) raw[k * M + m] = dense[m * K + k]!;
  const shape = (dims: number[]) => ({
    type: {
      value: {
        case: "tensorType",
        value: { elemType: 1, shape: { dim: dims.map((d) => ({ value: { case: "dimValue", value: BigInt(d) } })) } },
      },
    },
  });
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: "", version: 17n }],
    graph: {
      name: "g",
      node: [{ opType: "MatMul", input: right ? ["x", "w"] : ["w", "x"], output: ["y"] }],
      initializer: [
        { name: "w", dims: (right ? [K, M] : [M, K]).map(BigInt), dataType: 1, rawData: new Uint8Array(raw.buffer) },
      ],
      input: [{ name: "x", type: shape(right ? [N, K] : [K, N]).type }],
      output: [{ name: "y", type: shape(right ? [N, M] : [M, N]).type }],
    },
  } as never);
  const session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), {
    executionProviders: ["wasm"],
  });
  const xt = right ? new Float32Array(N * K) : x;
  if (right) for (let k = 0; k < K; k++) for (let n = 0; n < N; n++) xt[n * K + k] = x[k * N + n]!;
  const feeds = { x: new ort.Tensor("float32", xt, right ? [N, K] : [K, N]) };
  let last: Float32Array = new Float32Array();
  return {
    name,
    kept: M * K,
    async run() {
      last = (await session.run(feeds)).y!.data as Float32Array;
    },
    check: () => worst(dense, (m, n) => last[right ? n * M + m : m * N + n]!),
  };
}

const list: Case[] = [];
for (const name of cases) list.push(name.startsWith("ort") ? await theirs(name) : ours(name));
const samples = new Map<Case, number[]>(list.map((c) => [c, []]));
for (const c of list) {
  const start = performance.now();
  for (let i = 0; i < 3 || performance.now() - start < 1200; i++) {
    await c.run();
    if (i % 4 === 3) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const until = performance.now() + 1000 * Number(process.env.SECONDS ?? 12);
while (performance.now() < until) {
  for (const c of list) {
    const start = performance.now();
    await c.run();
    samples.get(c)!.push(performance.now() - start);
  }
}
const at = (c: Case, q: number): number => {
  const sorted = samples.get(c)!.toSorted((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))]!;
};
const reference = list.find((c) => c.name.startsWith("dense")) ?? list[0]!;
const paired = (c: Case): number => {
  const ratios = samples
    .get(c)!
    .map((ms, i) => samples.get(reference)![i]! / ms)
    .sort((a, b) => a - b);
  return ratios[ratios.length >> 1]!;
};
console.log(`${M}×${K} by ${K}×${N}, ${threads} threads, relaxed ${device.relaxed}, ratios against ${reference.name}`);
for (const c of list) {
  const gflops = (ms: number): string => ((2 * c.kept * N) / ms / 1e6).toFixed(1);
  console.log(
    c.name.padEnd(40),
    `median ${at(c, 0.5).toFixed(2)} ms, best ${at(c, 0).toFixed(2)} ms (${gflops(at(c, 0))} GFLOP/s kept)`,
    `ratio ${paired(c).toFixed(2)} (best ${(at(reference, 0) / at(c, 0)).toFixed(2)})`,
    `error ${c.check().toExponential(1)}`,
  );
}
process.exit(0);
