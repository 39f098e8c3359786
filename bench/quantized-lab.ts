import { detectDevice } from "../src/backends/wasm/device.js";
import { Session } from "../src/backends/wasm/index.js";
import { Executor } from "../src/compiler/index.js";
import { type Constant, GraphBuilder } from "../src/graph/index.js";
import { type QuantizedGroups, quantizeGroups, quantizeRows, SparseTensor, type Stored } from "../src/layouts/index.js";
import { installNode } from "../src/runtime/node.js";
import { Tensor } from "../src/tensor/index.js";

/**
 * Times products with quantized weights in turn with the float32 product, inputs and outputs in place: `tsx bench/quantized-lab.ts M K N LAYERS
 * THREADS [FORM…]`, a form being `f32`, `int8`, `int4:G` or `int4:G:zeros`. A run multiplies x with the weights of LAYERS layers, one after the other, so that
 * with enough of them weights come from memory, as a model's do. Prints microseconds a layer, weight bytes and multiply-adds a second, and the median of
 * the ratio to f32.
 */
const [M = 4096, K = 1024, N = 1, layers = 4, threads = 1] = process.argv.slice(2, 7).map(Number);
const forms = process.argv.length > 7 ? process.argv.slice(7) : ["f32", "int8", "int4:32", "int4:128", "int4:32:zeros"];

installNode();
const device = detectDevice(threads);

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return (seed >>> 8) / 2 ** 23 - 1;
};
const weights = Array.from({ length: layers }, () => Float32Array.from({ length: M * K }, random));

function weightOf(form: string, data: Float32Array): Constant {
  const matrix = { rows: M, cols: K, data: data.slice() };
  if (form === "f32") return new Tensor("float32", [M, K], matrix.data);
  const stored = (layout: string, parts: Stored["parts"]) =>
    new SparseTensor([M, K], [0, 1], { layout, rows: M, cols: K, dtype: "float32", parts });
  if (form === "int8") {
    const scales = new Tensor("float32", [M], quantizeRows(matrix));
    return stored("dense", { values: Tensor.from("int8", [M, K], matrix.data), scales });
  }
  const [, size, zeros] = form.split(":");
  const { codes, scales, zeroPoints }: QuantizedGroups = quantizeGroups(matrix, Number(size), zeros === undefined);
  const shape = [M, Math.ceil(K / Number(size))];
  return stored(`dense:g${size}`, {
    values: Tensor.from("uint4", [M, K], codes),
    scales: new Tensor("float32", shape, scales),
    ...(zeros === undefined ? {} : { zero_points: Tensor.from("uint4", shape, zeroPoints) }),
  });
}

const contestants = forms.map((form) => {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", [N, K]);
  let bytes = 0;
  for (const data of weights) {
    const weight = weightOf(form, data);
    bytes += weight.byteLength;
    builder.output(builder.add("Gemm", [x, builder.constant(weight)], { transB: 1 }));
  }
  const plan = new Executor(builder.build(), new Session(device)).bind([{ dtype: "float32", shape: [N, K] }]);
  (plan.inputs()[0]!.data as Float32Array).set(Float32Array.from({ length: N * K }, random));
  for (let i = 0; i < 20; i++) plan.run();
  return { form, plan, bytes: bytes / layers, times: [] as number[] };
});

const until = performance.now() + 1000 * Number(process.env.SECONDS ?? 6);
while (performance.now() < until) {
  for (const { plan, times } of contestants) {
    plan.run();
    const start = performance.now();
    let runs = 0;
    do {
      plan.run();
      runs++;
    } while (performance.now() - start < 10);
    times.push((performance.now() - start) / runs / layers);
  }
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;
const [first] = contestants;
console.log(`${M}×${K}·${N}, ${layers} layers, ${threads} thread(s)`);
for (const { form, bytes, times } of contestants) {
  const time = median(times);
  const ratio = median(times.map((t, i) => first!.times[i]! / t));
  const columns = [
    `${(1000 * time).toFixed(1)} µs`,
    `${(bytes / time / 1e6).toFixed(1)} GB/s`,
    `${((M * K * N) / time / 1e6).toFixed(1)} G multiply-adds/s`,
    `${ratio.toFixed(2)} × ${first!.form}`,
  ];
  console.log(form.padEnd(14), columns.map((text) => text.padStart(24)).join(""));
}
process.exit(0);
