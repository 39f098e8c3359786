import { fileURLToPath } from "node:url";
import { i32, v128 } from "../src/backends/wasm/asm/index.js";
import { detectDevice } from "../src/backends/wasm/device.js";
import { PROGRAM_HEADER, STEP, STEP_BYTES } from "../src/backends/wasm/driver.js";
import { installNodeHost } from "../src/backends/wasm/host.node.js";
import { type Buffer, type KernelCode, kernelFunction, type Lowering } from "../src/backends/wasm/kernel.js";
import { sparsifyKernels } from "../src/backends/wasm/kernels/sparsify/index.js";
import { Store } from "../src/backends/wasm/store.js";
import { ownVersions, thisMachine } from "../src/cli/bench/machine.js";
import { type Contestant, pairedTimes } from "../src/cli/bench/paired.js";
import { median, pairedRatio, quantile } from "../src/cli/bench/statistics.js";
import { replaceFile } from "../src/cli/write-file.js";
import { GraphBuilder, type Node, type Value } from "../src/graph/index.js";
import { sparsify24 } from "../src/layouts/index.js";
import { BOTH_WAYS_ALGORITHMS, type BothWaysAlgorithm } from "../src/sparsity/index.js";
import { type DataType, Tensor, viewOf } from "../src/tensor/index.js";

/**
 * Times sparsification both ways on WebAssembly against copying x, in turn in one process: `tsx bench/sparsify.ts [SECONDS] [SHAPE…]`, seconds for
 * each contestant (default 2), shapes as `4096x4096`. Writes bench/results/sparsify.json when no shapes are given, and THREADS (`1,2`) is not set either.
 *
 * A copy reads and writes x once. A sparsification reads x, and writes half of it twice, metadata twice and a mask: 1.05 times the bytes for float32, 1.09
 * for float16 (under a given mask 1.02 and 1.03). So much of the fastest copy's time is the limit; `of_limit` is the share of it that is reached.
 */
const [seconds = "2", ...given] = process.argv.slice(2);
const SHAPES = (given.length > 0 ? given : ["4096x4096", "1024x4096"]).map((text) => text.split("x").map(Number));
const { THREADS: chosenThreads = "" } = process.env;
const THREADS = (chosenThreads || "1,2").split(",").map(Number);
const DTYPES = ["float32", "float16"] as const;
/** What a sparsification may take, in copies of x. */
const GOAL = 2.5;
const RESULTS = fileURLToPath(new URL("results/sparsify.json", import.meta.url));

installNodeHost();

let seed = 1;
const uniform = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return ((seed >>> 8) + 0.5) / 2 ** 24;
};
const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());

/** Memory and programs on one device, as a plan makes them but without feeds that are copied. */
class Bench {
  readonly store: Store;
  readonly #buffers = new Map<Value, Buffer>();

  constructor(threads: number) {
    this.store = new Store(detectDevice(threads));
  }

  place(bytes: number): Buffer {
    return { bytes, address: this.store.allocate(bytes) };
  }

  /** A run of what `lower` launches. */
  program(lower: (to: Lowering) => void): () => void {
    const launches: { code: KernelCode; args: readonly number[]; chunks: number }[] = [];
    const unused = (): never => {
      throw new Error("the kernel asks for what this bench has not");
    };
    lower({
      device: this.store.device,
      type: (value) => value.type as { dtype: DataType; shape: number[] },
      constant: () => undefined,
      buffer: (value) => this.buffer(value),
      scratch: (bytes) => this.place(bytes),
      prepared: unused,
      derived: unused,
      launch: (code, args, chunks) =>
        launches.push({
          code,
          args: args.map((arg) => (typeof arg === "number" ? arg : (arg as Buffer).address!)),
          chunks,
        }),
      alias: unused,
    } as Lowering);
    const kernels = launches.map(({ code }) => this.store.kernel(code));
    const argsAt = PROGRAM_HEADER + STEP_BYTES * launches.length;
    const program = this.store.allocate(argsAt + 4 * launches.reduce((sum, { args }) => sum + args.length, 0));
    const words = new Int32Array(this.store.buffer, program);
    words[16] = launches.length;
    let arg = argsAt / 4;
    launches.forEach(({ args, chunks }, s) => {
      const at = (PROGRAM_HEADER + STEP_BYTES * s) / 4;
      words[at + STEP.kernel / 4] = kernels[s]!;
      words[at + STEP.args / 4] = program + 4 * arg;
      words[at + STEP.chunks / 4] = chunks;
      words.set(args, arg);
      arg += args.length;
    });
    return () => this.store.run(program, this.store.device.threads > 1);
  }

  buffer(value: Value): Buffer {
    const { dtype, shape } = value.type as { dtype: DataType; shape: number[] };
    const found = this.#buffers.get(value) ?? this.place(Tensor.zeros(dtype, shape).byteLength);
    this.#buffers.set(value, found);
    return found;
  }

  tensor(value: Value): Tensor {
    const { dtype, shape } = value.type as { dtype: "float32"; shape: number[] };
    const size = shape.reduce((a, b) => a * b, 1);
    return new Tensor(dtype, shape, viewOf(dtype, this.store.buffer, this.buffer(value).address!, size));
  }
}

const COPY_CHUNK = 256 * 1024;

/** The fastest plain copies that WebAssembly has: its own instruction, and vectors. Arguments: to, from, bytes. */
const COPIES: Readonly<Record<string, KernelCode>> = {
  "memory.copy": {
    key: "bench/memory.copy",
    build: () =>
      kernelFunction(3, (f, { chunk }, [to, from, bytes]) => {
        const start = f.local("i32", i32.mul(chunk, COPY_CHUNK));
        const count = f.local("i32", i32.sub(bytes!, start));
        f.set(count, i32.min_s(count, COPY_CHUNK));
        f.memoryCopy(i32.add(to!, start), i32.add(from!, start), count);
      }),
  },
  vectors: {
    key: "bench/vectors",
    build: () =>
      kernelFunction(3, (f, { chunk }, [to, from]) => {
        const start = f.local("i32", i32.mul(chunk, COPY_CHUNK));
        const [p, q] = [f.local("i32", i32.add(from!, start)), f.local("i32", i32.add(to!, start))];
        f.for(0, COPY_CHUNK, 64, () => {
          for (let at = 0; at < 64; at += 16) f.storeV128(q, v128.load(p, at), at);
          f.increment(p, 64);
          f.increment(q, 64);
        });
      }),
  },
};

interface Case {
  readonly rows: number;
  readonly cols: number;
  readonly dtype: (typeof DTYPES)[number];
  readonly data: string;
  readonly what: string;
  readonly threads: number;
  /** What it reads and writes. */
  readonly bytes: number;
  readonly contestant: Contestant;
}

const graphs = (algorithm: BothWaysAlgorithm, dtype: DataType, shape: readonly number[]) => {
  const b = new GraphBuilder();
  const outputs = b.addMany("Sparsify24", [b.input("x", dtype, shape)], 5, { algorithm }, { domain: "ai.nonzero" });
  const [rows, cols] = shape as [number, number];
  const types = [
    [dtype, [rows, cols / 2]],
    ["uint8", [rows, cols / 8]],
    [dtype, [cols, rows / 2]],
    ["uint8", [cols, rows / 8]],
    ["uint16", [rows / 4, cols / 4]],
  ] as const;
  outputs.forEach((output, i) => {
    output.type = { dtype: types[i]![0], shape: types[i]![1] };
    b.output(output);
  });
  return b.build().nodes[0]!;
};

/** Sparsify24Like of the same x, under the mask that `node` makes, to its results. */
const likeOf = (node: Node): Node => ({
  ...node,
  op: "Sparsify24Like",
  attributes: new Map(),
  inputs: [node.inputs[0]!, node.outputs[4]!],
  outputs: [node.outputs[0]!, node.outputs[2]!],
});

/** Compares the first rows with the evaluation. */
function check(bench: Bench, x: Tensor, outputs: readonly Value[], algorithm: BothWaysAlgorithm): void {
  const cols = x.shape[1]!;
  const rows = 32;
  const size = rows * cols;
  const top = new Tensor(x.dtype, [rows, cols], (x.data as Float32Array).slice(0, size));
  const { sparse, transposed, mask } = sparsify24(top, { algorithm });
  const [packed, meta, packedT, metaT, tiles] = outputs.map((value) => bench.tensor(value));
  const starts = (got: Tensor, wanted: Tensor): boolean => wanted.bytes().every((byte, i) => got.bytes()[i] === byte);
  const columns = (got: Tensor, wanted: Tensor): boolean => {
    const width = wanted.byteLength / cols;
    const [a, b] = [got.bytes(), wanted.bytes()];
    return b.every((byte, i) => a[Math.floor(i / width) * (a.length / cols) + (i % width)] === byte);
  };
  const right =
    starts(packed!, sparse.stored.parts.values!) &&
    starts(meta!, sparse.stored.parts.indices!) &&
    columns(packedT!, transposed.stored.parts.values!) &&
    columns(metaT!, transposed.stored.parts.indices!) &&
    starts(tiles!, mask);
  if (!right) throw new Error(`${algorithm}: the kernel's results are not the evaluation's`);
}

const cases: Case[] = [];
for (const [rows, cols] of SHAPES as [number, number][]) {
  const numbers = Float32Array.from({ length: rows * cols }, normal);
  for (const dtype of DTYPES) {
    const inputs = { normal: numbers, relu: numbers.map((value) => Math.max(0, value)) };
    for (const threads of THREADS) {
      const bench = new Bench(threads);
      const target = bench.place(rows * cols * 4);
      for (const [data, values] of Object.entries(inputs)) {
        if (data === "relu" && dtype !== "float32") continue;
        const x = Tensor.from(dtype, [rows, cols], values);
        const source = bench.place(x.byteLength);
        const add = (what: string, bytes: number, run: () => void): void => {
          const name = `${rows}x${cols} ${dtype} ${data} ${what} ×${threads}`;
          cases.push({ rows, cols, dtype, data, what, threads, bytes, contestant: { name, run } });
        };
        if (data === "normal") {
          for (const [name, code] of Object.entries(COPIES)) {
            const chunks = Math.ceil(x.byteLength / COPY_CHUNK);
            add(
              name,
              2 * x.byteLength,
              bench.program((to) => to.launch(code, [target, source, x.byteLength], chunks)),
            );
          }
        }
        for (const algorithm of BOTH_WAYS_ALGORITHMS) {
          if (data === "relu" && algorithm === "largest_values_greedy") continue;
          const node = graphs(algorithm, dtype, x.shape);
          const kernel = sparsifyKernels[0]!;
          const lowered = (one: Node, to: Lowering): number => {
            const at = { ...to, buffer: (value: Value) => (value === one.inputs[0] ? source : to.buffer(value)) };
            const spec = kernel.match(one, at);
            kernel.lower(spec, null, one, at);
            return kernel.cost(spec).bytes;
          };
          let bytes = 0;
          const run = bench.program((to) => {
            bytes = lowered(node, to);
          });
          new Uint8Array(bench.store.buffer, source.address!, x.byteLength).set(x.bytes());
          run();
          check(bench, x, node.outputs as Value[], algorithm);
          add(algorithm, bytes, run);
          if (algorithm !== "best" || data !== "normal") continue;
          const like = likeOf(node);
          const apply = bench.program((to) => {
            bytes = lowered(like, to);
          });
          apply();
          check(bench, x, node.outputs as Value[], algorithm);
          add("Sparsify24Like", bytes, apply);
        }
      }
    }
  }
}

const timed = await pairedTimes(
  cases.map(({ contestant }) => contestant),
  { seconds: Number(seconds) },
);
const round = (value: number): number => Number(value.toPrecision(5));
const results = cases.map((one, i) => {
  const { samples } = timed[i]!;
  const copies = cases.flatMap((other, k) =>
    other.what in COPIES &&
    other.threads === one.threads &&
    other.dtype === one.dtype &&
    other.rows === one.rows &&
    other.cols === one.cols
      ? [timed[k]!.samples]
      : [],
  );
  const fastest = copies.toSorted((a, b) => median(a) - median(b))[0]!;
  const { rows, cols, dtype, data, what, threads } = one;
  return {
    rows,
    cols,
    dtype,
    data,
    what,
    threads,
    median_ms: round(median(samples)),
    quartiles_ms: [round(quantile(samples, 0.25)), round(quantile(samples, 0.75))],
    copies_of_x: round(pairedRatio(fastest, samples)),
    of_limit: round(one.bytes / (2 * rows * cols * (dtype === "float32" ? 4 : 2)) / pairedRatio(fastest, samples)),
    samples_ms: samples.map(round),
  };
});
for (const r of results) {
  const miss = !(r.what in COPIES) && r.copies_of_x > GOAL ? `  (the goal is ${GOAL})` : "";
  console.log(
    `${r.rows}x${r.cols} ${r.dtype} ×${r.threads} ${r.data} ${r.what}`.padEnd(66),
    `${r.median_ms.toFixed(2)} ms (${r.quartiles_ms.map((ms) => ms.toFixed(2)).join(" to ")}), ${r.copies_of_x.toFixed(2)} copies, ${Math.round(100 * r.of_limit)} % of the limit${miss}`,
  );
}
if (given.length === 0 && chosenThreads === "") {
  const report = {
    date: new Date().toISOString().slice(0, 10),
    machine: thisMachine(),
    versions: ownVersions(),
    goal: { copies_of_x: GOAL },
    results,
  };
  const text = JSON.stringify(report, null, 1).replace(/\[[\s\d.,e-]*\]/g, (list) => list.replace(/\s+/g, ""));
  replaceFile(RESULTS, `${text}\n`);
  console.error(`wrote ${RESULTS}`);
}
process.exit(0);
