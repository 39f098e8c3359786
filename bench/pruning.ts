/*
 * How long the methods of pruning take, on one thread: `npx tsx bench/pruning.ts [-- method…]`. Weights are Gaussian, inputs correlated; CPU
 * time of the best of several runs, so that what else the machine does counts little. Prints a table in Markdown, for docs/pruning.md.
 */
import { cpus } from "node:os";
import { InputAccumulator, type InputStatistics, LAYER_PRUNERS, type LayerPruner } from "../src/prune/index.js";
import { cholesky } from "../src/prune/linalg/cholesky.js";
import { multiplyAdd } from "../src/prune/linalg/multiply.js";
import { transposed, view } from "../src/prune/linalg/view.js";
import { type Matrix, parsePattern } from "../src/sparsity/index.js";
import { Tensor } from "../src/tensor/index.js";
import { randomSource } from "../test/support/random.js";

/** Outputs × inputs: attention and both halves of the feed-forward of Moonshine tiny, and a ViT-B's second. */
const SHAPES = [
  [288, 288],
  [1152, 288],
  [288, 1152],
  [768, 3072],
] as const;
const PATTERN = "2:4";
/** A second run only of what takes less. */
const PATIENCE = 3_000;
/** Methods whose cost is outputs · n³, not run on shapes beyond this many inputs. */
const MOST_INPUTS: Readonly<Record<string, number>> = { obc: 1152, alps: 1152, admm: 3072 };

const random = randomSource(1);
const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Sums over rows of low rank and noise. */
function inputs(channels: number, rank = 64): { readonly statistics: InputStatistics; readonly milliseconds: number } {
  const rows = 2 * channels;
  const mix = view(Float64Array.from({ length: rank * channels }, gaussian), rank, channels);
  const values = Float64Array.from({ length: rows * channels }, gaussian);
  multiplyAdd(
    view(values, rows, channels),
    view(Float64Array.from({ length: rows * rank }, gaussian), rows, rank),
    mix,
    0.3,
  );
  const tensor = new Tensor("float32", [rows, channels], Float32Array.from(values));
  const accumulator = new InputAccumulator(channels, { gram: true });
  const start = cpuTime();
  accumulator.accumulate(tensor);
  return { statistics: accumulator.statistics(), milliseconds: cpuTime() - start };
}

/** Milliseconds that this process has computed; what other threads of it do (the compiler, the collector) counts too. */
const cpuTime = (): number => process.cpuUsage().user / 1000;

function fastest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const start = cpuTime();
    run();
    best = Math.min(best, cpuTime() - start);
    if (best > PATIENCE) break;
  }
  return best;
}

const text = (milliseconds: number): string =>
  milliseconds < 1000
    ? `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;

console.log(
  `${cpus()[0]?.model}, Node ${process.versions.node}, one thread, ${new Date().toISOString().slice(0, 10)}\n`,
);
const wanted = process.argv.slice(2);
const methods: LayerPruner[] = [...LAYER_PRUNERS.values()].filter(
  ({ name }) => wanted.length === 0 || wanted.includes(name),
);
const layers = SHAPES.map(([rows, cols]) => {
  const weight: Matrix = { rows, cols, data: Float32Array.from({ length: rows * cols }, gaussian) };
  return { weight, ...inputs(cols) };
});
console.log(`| ${PATTERN} | ${SHAPES.map(([rows, cols]) => `${rows}×${cols}`).join(" | ")} |`);
console.log(`| --- |${" ---: |".repeat(SHAPES.length)}`);
console.log(`| XᵀX of 2n rows | ${layers.map(({ milliseconds }) => text(milliseconds)).join(" | ")} |`);
for (const method of methods) {
  const cells = layers.map(({ weight, statistics }) => {
    if (weight.cols > (MOST_INPUTS[method.name] ?? Number.POSITIVE_INFINITY)) return "";
    let error = 0;
    const time = fastest(() => {
      error = method.prune(weight, statistics, parsePattern(PATTERN)).error!;
    });
    return `${text(time)} (${error.toFixed(3)})`;
  });
  console.log(`| ${method.name} (error) | ${cells.join(" | ")} |`);
}

for (const n of [1152, 2304]) {
  const x = view(Float64Array.from({ length: n * n }, gaussian), n, n);
  const matrix = new Float64Array(n * n);
  multiplyAdd(view(matrix, n, n), transposed(x), x, 1 / n, "lower");
  for (let i = 0; i < n; i++) matrix[i * (n + 1)]! += 1;
  console.log(`\nCholesky of ${n}: ${text(fastest(() => cholesky(view(matrix.slice(), n, n))))}`);
}
