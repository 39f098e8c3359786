import { readModel, writeModel } from "../../src/formats/onnx/index.js";
import type { Model } from "../../src/graph/index.js";
import { loadModel, Runner } from "../../src/index.js";
import { SparseTensor, toMatrix } from "../../src/layouts/index.js";
import { applySparse, type Sparsified, weightsOf } from "../../src/prune/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomFeeds } from "./feeds.js";
import type { Corner, InputFacts, Reply, Request, Results } from "./messages.js";

/*
 * Reads, prunes and times a model away from the page's own thread, so that the page stays alive; the page stops it by ending it.
 */

const page = globalThis as unknown as {
  postMessage(reply: Reply): void;
  onmessage: (event: MessageEvent<Request>) => void;
};
const tell = (reply: Reply): void => page.postMessage(reply);
const progress = (stage: string, share: number): void => tell({ kind: "progress", stage, share });

const MIN_ROUNDS = 5;
const WARM_UPS = 3;
/** Shares of the progress bar. */
const PRUNED = 0.4;
const WARMED = 0.55;

page.onmessage = async ({ data }) => {
  try {
    if (data.kind === "inspect") inspect(readModel(new Uint8Array(data.bytes)));
    else await run(data);
  } catch (error) {
    tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
};

function inputsOf({ graph }: Model): InputFacts[] {
  return graph.inputs
    .filter((input) => !graph.constants.has(input))
    .map(({ name, type }) => {
      if (!type?.shape) throw new Error(`the input '${name}' has no declared shape`);
      return { name, dtype: type.dtype, shape: type.shape };
    });
}

function inspect(model: Model): void {
  const weights = weightsOf(model).filter(({ kind }) => kind === "linear" || kind === "conv");
  const zeros = weights.filter(({ constant }) => constant instanceof SparseTensor).length;
  tell({ kind: "inspected", inputs: inputsOf(model), weights: weights.length, zeros });
}

async function run({ bytes, pattern, values, dims, audio, seconds }: Request & { kind: "run" }): Promise<void> {
  progress("reading the model", 0);
  const original = await loadModel(new Uint8Array(bytes));
  const pruned = await applySparse(original, {
    pattern,
    ...(values === undefined ? {} : { values }),
    onProgress: (done, total, { weight, layout, sparsity, denseBytes, bytes }) => {
      const { name, rows, cols } = weight;
      tell({ kind: "layer", layer: { name, rows, cols, layout, sparsity, denseBytes, bytes } });
      progress(`pruning: ${done} of ${total} weights`, (PRUNED * done) / total);
    },
  });
  const file = new Uint8Array(writeModel(pruned.model));

  const inputs = inputsOf(original);
  const [first] = inputs;
  const feeds =
    audio !== undefined && first !== undefined && inputs.length === 1
      ? { [first.name]: new Tensor("float32", [1, audio.length], audio) }
      : randomFeeds(inputs, dims);
  const dense = new Runner(original);
  const sparse = new Runner(pruned.model);
  const { denseMs, sparseMs } = await time(dense, sparse, feeds, seconds);
  const { threads } = dense;
  dense.release();
  sparse.release();

  const elements = pruned.weights.reduce((sum, { weight }) => sum + weight.rows * weight.cols, 0);
  const zeros = pruned.weights.reduce((sum, { weight, sparsity }) => sum + sparsity * weight.rows * weight.cols, 0);
  const results: Results = {
    threads,
    denseBytes: bytes.byteLength,
    sparseBytes: file.byteLength,
    sparsity: zeros / elements,
    denseMs,
    sparseMs,
    corner: cornerOf(pruned),
    file,
  };
  tell({ kind: "done", results });
}

/** Runs both in turn, so that what the machine does to one it does to the other. */
async function time(dense: Runner, sparse: Runner, feeds: Record<string, Tensor>, seconds: number) {
  const once = async (runner: Runner): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve));
    const start = performance.now();
    await runner.run(feeds);
    return performance.now() - start;
  };
  for (let i = 0; i < WARM_UPS; i++) {
    progress("compiling and warming up", PRUNED + ((WARMED - PRUNED) * i) / WARM_UPS);
    await once(dense);
    await once(sparse);
  }
  const denseMs: number[] = [];
  const sparseMs: number[] = [];
  const start = performance.now();
  for (let elapsed = 0; elapsed < seconds * 1000 || denseMs.length < MIN_ROUNDS; elapsed = performance.now() - start) {
    denseMs.push(await once(dense));
    sparseMs.push(await once(sparse));
    const share = Math.min(1, elapsed / (seconds * 1000));
    progress(`timing in turn: round ${denseMs.length}`, WARMED + (1 - WARMED) * share);
  }
  return { denseMs, sparseMs };
}

/** The upper left of the first weight that is stored sparse. */
function cornerOf({ model, weights }: Sparsified): Corner | null {
  for (const { weight } of weights) {
    const constant = [...model.graph.constants].find(([value]) => value.name === weight.name)?.[1];
    if (!(constant instanceof SparseTensor)) continue;
    const { rows: height, cols: width, data } = toMatrix(constant.toDense(), constant.perm);
    const [rows, cols] = [Math.min(32, height), Math.min(96, width)];
    const magnitudes = Float32Array.from({ length: rows * cols }, (_, i) =>
      Math.abs(data[Math.floor(i / cols) * width + (i % cols)]!),
    );
    const largest = magnitudes.reduce((most, value) => Math.max(most, value), 0) || 1;
    return { name: weight.name, rows, cols, magnitudes: magnitudes.map((value) => value / largest) };
  }
  return null;
}
