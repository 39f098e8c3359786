/*
 * From which sparsity a sparse product is faster than a dense one, by tokens: the table of docs/tuning.md.
 *
 *     npx tsx bench/crossover.ts
 *     npx tsx bench/crossover.ts --shape 1024x4096 --tokens 64,256 --layers 4 --threads 1
 *     npx tsx bench/crossover.ts --layers 1      # the weight stays in the caches, as it does in no model
 *
 * A model of so many layers of that shape is tuned, and what the tuner measured of its layout is printed: dense time over sparse time.
 */
import { parseArgs } from "node:util";
import { GraphBuilder, type Model } from "../src/graph/index.js";
import { parseLayout, SparseTensor } from "../src/layouts/index.js";
import { Runner } from "../src/runtime/index.js";
import { installNode } from "../src/runtime/node.js";
import { parsePattern } from "../src/sparsity/index.js";
import { Tensor } from "../src/tensor/index.js";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "1024x1024" },
    tokens: { type: "string", default: "1,2,4,8,12" },
    sparsity: { type: "string", default: "10,20,30,40,50,60" },
    layers: { type: "string", default: "17" },
    threads: { type: "string", default: "1" },
    seconds: { type: "string", default: "3" },
  },
});
installNode();
const [rows, cols] = values.shape.split("x").map(Number) as [number, number];
const [layers, threads, seconds] = [values.layers, values.threads, values.seconds].map(Number) as [
  number,
  number,
  number,
];
const list = (text: string): number[] => text.split(",").map(Number);

const noise = (shape: readonly number[]): Tensor =>
  Tensor.from(
    "float32",
    shape,
    Float64Array.from({ length: shape[0]! * shape[1]! }, () => 2 * Math.random() - 1),
  );

/** x · W1ᵀ, x · W2ᵀ, … for weights with the same nonzeros, each in memory of its own. */
function model(percent: number, tokens: number): Model {
  const matrix = { rows, cols, data: noise([rows, cols]).data as Float32Array };
  const mask = parsePattern(`${percent}%`).select({ ...matrix, data: matrix.data.map(Math.abs) });
  const stored = parseLayout("csr").encode(matrix, mask);
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [tokens, cols]);
  for (let layer = 0; layer < layers; layer++)
    b.output(b.add("Gemm", [x, b.constant(new SparseTensor([rows, cols], [0, 1], stored))], { transB: 1 }));
  return { graph: b.build(), opsets: new Map([["", 21]]), irVersion: 10, producer: "", metadata: new Map() };
}

/** Dense time over sparse time; null where the seconds were too few to say. */
async function gain(percent: number, tokens: number): Promise<number | null> {
  const runner = new Runner(model(percent, tokens), { threads });
  try {
    const { results } = await runner.tune({ x: noise([tokens, cols]) }, { cache: null, budget: seconds });
    const found = results.find(({ subject }) => subject === "layout");
    if (found === undefined) return null;
    return found.candidates[0] === '"dense"' ? found.ratio : 1 / found.ratio;
  } finally {
    runner.release();
  }
}

const columns = list(values.sparsity);
console.log(`${rows} × ${cols}, ${layers} layers, ${threads} threads: dense time over sparse time\n`);
console.log(`| tokens | ${columns.map((percent) => `${percent} %`).join(" | ")} |`);
console.log(`| ---: |${columns.map(() => " ---: |").join("")}`);
for (const tokens of list(values.tokens)) {
  const cells: string[] = [];
  for (const percent of columns) cells.push((await gain(percent, tokens))?.toFixed(2) ?? "");
  console.log(`| ${tokens} | ${cells.join(" | ")} |`);
}
