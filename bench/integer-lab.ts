import type { DeviceInfo, Kernel } from "../src/backends/wasm/kernel.js";
import { deviceInfo, lower } from "../src/backends/wasm/kernels/batch-matmul/harness.node.js";
import { integerKernels } from "../src/backends/wasm/kernels/integer/index.js";
import { matmulKernels } from "../src/backends/wasm/kernels/matmul/index.js";
import { GraphBuilder } from "../src/graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../src/layouts/index.js";
import { parsePattern } from "../src/sparsity/index.js";
import { Tensor } from "../src/tensor/index.js";

/**
 * Times dynamically quantized products, kernels alone, in turn in one process, one thread: `tsx bench/integer-lab.ts M K N CASE…`, a case being
 * `float32`, `int8`, or either with `/PATTERN/LAYOUT`: `int8/2:4/semi-structured`. SECONDS in the environment sets the time for all.
 */
const [M = 3072, K = 768, N = 256] = process.argv.slice(2, 5).map(Number);
const cases = process.argv.slice(5);
const device: DeviceInfo = { ...deviceInfo(), threads: 1 };

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return (seed >>> 8) / 2 ** 23 - 1;
};
const x = Tensor.from("float32", [N, K], Float32Array.from({ length: N * K }, random));
const codes = Float32Array.from({ length: K * M }, () => Math.round(127 * random()) || 1);

interface Case {
  readonly name: string;
  readonly kept: number;
  /** Puts its operands into the harness's memory, which is one for all. */
  write(): void;
  run(): void;
}

function caseOf(name: string): Case {
  const [dtype = "", pattern, layout] = name.split("/");
  const integer = dtype === "int8";
  const dense = Tensor.from(integer ? "int8" : "float32", [K, M], codes);
  let weight: Tensor | SparseTensor = dense;
  let kept = M * K;
  if (pattern !== undefined) {
    const matrix = toMatrix(dense, [1, 0]);
    const mask = parsePattern(pattern).select({ ...matrix, data: matrix.data.map(() => Math.abs(random())) });
    const options = integer ? ({ values: "int8", dtype: "int8" } as const) : {};
    weight = new SparseTensor([K, M], [1, 0], parseLayout(layout!).encode(matrix, mask, options));
    kept = mask.data.reduce((a, b) => a + b, 0);
  }
  const builder = new GraphBuilder();
  const input = builder.input("x", "float32", [N, K]);
  const w = builder.constant(weight);
  const scale = builder.constant(Tensor.from("float32", [M], new Array(M).fill(0.01)));
  const inputs = integer ? [input, w, null, null, scale] : [input, w];
  const op = integer ? "DynamicQuantizedLinear" : "Linear";
  builder.output(builder.add(op, inputs, {}, { domain: "ai.nonzero" }));
  const kernels: readonly Kernel[] = integer ? integerKernels : matmulKernels;
  const lowered = lower(builder.build(), [x], kernels, device);
  if (lowered === null) throw new Error(`no kernel takes ${name}`);
  return { name, kept, write: () => lowered.write([x]), run: () => lowered.run() };
}

const list = cases.map(caseOf);
const samples = new Map<Case, number[]>(list.map((c) => [c, []]));
const turn = (c: Case, milliseconds: number): number => {
  c.write();
  c.run();
  let runs = 0;
  const start = performance.now();
  do {
    c.run();
    runs++;
  } while (performance.now() - start < milliseconds);
  return (performance.now() - start) / runs;
};
for (const c of list) {
  for (let i = 0; i < 12; i++) {
    turn(c, 60);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const until = performance.now() + 1000 * Number(process.env.SECONDS ?? 10);
while (performance.now() < until) for (const c of list) samples.get(c)!.push(turn(c, 20));
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
console.log(`${process.version}, ${M}×${K} by ${K}×${N}, ratios against ${list[0]!.name} and ${list.at(1)?.name}`);
for (const c of list) {
  const ms = median(samples.get(c)!);
  const against = (other: Case): string =>
    median(samples.get(c)!.map((time, i) => samples.get(other)![i]! / time)).toFixed(2);
  console.log(
    c.name.padEnd(40),
    `${ms.toFixed(3)} ms, ${((c.kept * N) / ms / 1e6).toFixed(1)} G multiply-adds/s kept,`,
    `${against(list[0]!)}, ${against(list[Math.min(1, list.length - 1)]!)}`,
  );
}
