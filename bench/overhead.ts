import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installedRivals, type Timing, timeInTurn } from "../src/cli/bench/lineup.js";
import { ownVersions, thisMachine } from "../src/cli/bench/machine.js";
import type { Contestant, Timed } from "../src/cli/bench/paired.js";
import { median, pairedRatio, quantile } from "../src/cli/bench/statistics.js";
import { replaceFile } from "../src/cli/write-file.js";
import { writeModel } from "../src/formats/onnx/index.js";
import { GraphBuilder, type Model, type Value } from "../src/graph/index.js";
import { Runner } from "../src/node.js";
import { Tensor } from "../src/tensor/index.js";

/**
 * What a plan costs beside its work: chains of 200 operators on 16×16 elements, timed in turn with onnxruntime's in one process.
 * `tsx bench/overhead.ts [ROUNDS]` (default 20) writes bench/results/overhead.json.
 */
const rounds = Number(process.argv[2] ?? 20);
const OPERATORS = 200;
const SIZE = 16;
const RESULTS = fileURLToPath(new URL("results/overhead.json", import.meta.url));

const square = (seed: number): Tensor =>
  Tensor.from(
    "float32",
    [SIZE, SIZE],
    Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(seed + i) / SIZE),
  );

/** One operator after another, `links` in turn; each takes the value before it. */
const CHAINS: Readonly<Record<string, readonly ((b: GraphBuilder, x: Value, i: number) => Value)[]>> = {
  "Add, Mul, Tanh, Relu": [
    (b, x, i) => b.add("Add", [x, b.constant(square(i))]),
    (b, x, i) => b.add("Mul", [x, b.constant(square(i))]),
    (b, x) => b.add("Tanh", [x]),
    (b, x) => b.add("Relu", [x]),
  ],
  "MatMul, Softmax, Transpose, Add": [
    (b, x, i) => b.add("MatMul", [x, b.constant(square(i))]),
    (b, x) => b.add("Softmax", [x], { axis: 0 }),
    (b, x) => b.add("Transpose", [x]),
    (b, x, i) => b.add("Add", [x, b.constant(square(i))]),
  ],
};

function chain(links: (typeof CHAINS)[string]): Model {
  const b = new GraphBuilder("chain");
  let x = b.input("x", "float32", [SIZE, SIZE]);
  for (let i = 0; i < OPERATORS; i++) x = links[i % links.length]!(b, x, i);
  x.type = { dtype: "float32", shape: [SIZE, SIZE] };
  b.output(x, "y");
  const opsets = new Map([["", 21]]);
  return { graph: b.build(), opsets, irVersion: 10, producer: "nonzero bench", metadata: new Map() };
}

/** Times every chain on so many threads. onnxruntime-web takes its threads once a process, so each count has a process of its own. */
async function measure(threads: number): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [operators, links] of Object.entries(CHAINS))
    results.push(...(await measureChain(operators, links, threads)));
  return results;
}

const timing: Timing = { rounds, say: (line) => process.stderr.write(`${line}\n`) };
const round = (value: number): number => Number(value.toPrecision(4));
async function measureChain(operators: string, links: (typeof CHAINS)[string], threads: number): Promise<unknown[]> {
  const model = chain(links);
  const feeds = { x: square(1) };
  const runner = new Runner(model, { threads });
  const expected = runner.run(feeds).y!;
  const steps = runner.describe(feeds).length;
  const binding = runner.ioBinding(feeds);
  binding.inputs.x!.bytes().set(feeds.x.bytes());
  const contestants: Contestant[] = [
    { name: "run", run: () => runner.run(feeds) },
    { name: "bound run", run: () => binding.run() },
  ];
  for (const rival of await installedRivals(threads, timing.say)) {
    const session = await rival.open(writeModel(model), feeds);
    const { y } = await session.outputs();
    const off = Math.max(...expected.numbers().map((value, i) => Math.abs(Number(value) - Number(y!.numbers()[i]))));
    if (off > 1e-4) throw new Error(`${operators}: ${rival.name} is ${off} away`);
    contestants.push({ name: rival.name, run: session.run, settle: session.settle });
  }
  const timed = await timeInTurn(contestants, timing);
  const own = timed("run")!;
  const line = ({ name, samples }: Timed) => ({
    ...{ operators, threads, name, microseconds_per_operator: round((1000 * median(samples)) / OPERATORS) },
    quartiles: [0.25, 0.75].map((q) => round((1000 * quantile(samples, q)) / OPERATORS)),
    ratio_to_run: round(pairedRatio(own.samples, samples)),
  });
  return contestants.map(({ name }) => ({ ...line(timed(name)!), ...(name.endsWith("run") ? { steps } : {}) }));
}

const ownProcess = process.argv[3];
if (ownProcess !== undefined) {
  console.log(JSON.stringify(await measure(Number(ownProcess))));
  process.exit(0);
}
const script = fileURLToPath(import.meta.url);
const results = [1, 2].flatMap((threads) => {
  const args = ["--import", "tsx", script, `${rounds}`, `${threads}`];
  return JSON.parse(execFileSync(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] }).toString());
});
console.table(results);
const versions = ownVersions();
replaceFile(RESULTS, `${JSON.stringify({ machine: thisMachine([]), versions, rounds, results }, null, 1)}\n`);
console.log(`written to ${RESULTS}`);
