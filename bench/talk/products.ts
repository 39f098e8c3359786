import { disagreement, expectedProduct } from "../../src/cli/bench/agreement.js";
import type { Contestant } from "../../src/cli/bench/paired.js";
import type { Constant } from "../../src/graph/index.js";
import { bestLayout, bytesOf, parseLayout, SparseTensor, toMatrix } from "../../src/layouts/index.js";
import { magnitude } from "../../src/prune/index.js";
import { Runner } from "../../src/runtime/index.js";
import { countNonzeros, type Matrix, parsePattern } from "../../src/sparsity/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { type Bench, timed } from "./bench.js";
import { linearModel } from "./linear-model.js";
import { normals } from "./normals.js";
import type { Peer, PeerName, Product } from "./peers/index.js";
import { type Case, type Row, timesOf } from "./results.js";

/** A weight under a pattern, in a layout: the smallest, where none is named. */
export interface Weighting {
  readonly name: string;
  readonly pattern: string;
  readonly layout?: string;
}

/** y [n, m] = x [n, k] · Wᵀ, a linear layer of m outputs and k inputs on n tokens, token after token, as models have them. */
export interface Linear {
  readonly title: string;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly weightings: readonly Weighting[];
  /** Default: all that there are. */
  readonly peers?: readonly PeerName[];
}

export const DENSE = "dense";

/** Bytes that no cache of this machine's kind holds. */
const BEYOND_CACHES = 64 * 2 ** 20;
const MOST_LAYERS = 8;
/** With as many tokens a weight is used so often that it does not matter where it comes from. */
const MANY_TOKENS = 1024;
/** Multiply-adds of a product that are made again in double precision, all rows of the weight where they suffice. */
const CHECKED = 4e8;

interface Stored {
  readonly layout: string;
  readonly kept: number;
  readonly bytes: number;
  /** [m, k], as stored. */
  readonly matrix: Matrix;
  /**
   * [k, m], a new object in which the first layer holds `matrix`. Dense ones differ from layer to layer: onnxruntime keeps equal
   * weights once, and then they wait in a cache.
   */
  constant(layer: number): Constant;
}

/**
 * Times a linear layer dense and under each weighting, and dense in the peers, in turn. A step runs several layers with weights in memory of
 * their own, so that they come from where a model's weights come from. Inputs and outputs stay where each runtime works, but for
 * onnxruntime, which knows no other way in Node than copying them. Every contestant's product is checked first.
 */
export async function timeLinear(
  bench: Bench,
  { title, m, k, n, weightings, peers: wanted }: Linear,
): Promise<Case | null> {
  bench.say(`${title}: pruning, and checking products`);
  const layers = n > MANY_TOKENS ? 1 : Math.min(MOST_LAYERS, Math.ceil(BEYOND_CACHES / (4 * m * k)));
  const w: Matrix = { rows: m, cols: k, data: normals(m * k, 1, 1) };
  const x: Matrix = { rows: n, cols: k, data: normals(n * k, 1, 2) };
  const input = new Tensor("float32", [n, k], x.data);
  const check = checker(x, m);
  const missing = [...bench.missing];
  const contestants: Contestant[] = [];
  const releases: (() => void | Promise<void>)[] = [];
  const stored = new Map<string, Stored>();
  let threads = bench.threads;
  try {
    for (const weighting of [{ name: DENSE, pattern: DENSE }, ...weightings]) {
      await new Promise((resolve) => setTimeout(resolve));
      if (bench.signal.aborted) return null;
      const weight = storedWeight(w, weighting);
      const runner = new Runner(
        linearModel(
          Array.from({ length: layers }, (_, i) => weight.constant(i)),
          n,
        ),
        {
          threads: bench.threads,
        },
      );
      releases.push(() => runner.release());
      threads = runner.threads;
      const binding = runner.ioBinding({ x: input });
      (binding.inputs.x!.data as Float32Array).set(x.data);
      binding.run();
      check(weighting.name, binding.outputs.y0!, weight.matrix);
      stored.set(weighting.name, weight);
      contestants.push({ name: weighting.name, run: () => binding.run() });
    }
    const dense = stored.get(DENSE)!;
    const peers: Peer[] = [];
    for (const peer of await bench.peers()) {
      if (wanted?.includes(peer.name) === false) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (bench.signal.aborted) return null;
      let product: Product;
      try {
        product = await peer.product(
          input,
          Array.from({ length: layers }, (_, i) => dense.constant(i) as Tensor),
        );
        releases.push(() => product.release());
        check(peer.name, await product.output(), dense.matrix);
      } catch (error) {
        missing.push(`${peer.name}: ${(error as Error).message}`);
        bench.say(`${peer.name}: ${(error as Error).message}`);
        continue;
      }
      peers.push(peer);
      contestants.push({ name: peer.name, run: () => product.run(), settle: product.settle });
    }
    const times = await timed(bench, contestants);
    if (times === null) return null;
    const others = Object.fromEntries([DENSE, ...peers.map(({ name }) => name)].map((name) => [name, times.get(name)]));
    const peak = (bench.peak * threads) / bench.threads;
    const ours = [...stored].map(([name, { layout, kept, bytes }]): Row => {
      const sparsity = 1 - kept / (m * k);
      const row = timesOf(times.get(name)!, others);
      const gflops = (2 * kept * n * layers) / row.median_ms / 1e6;
      const ideal = (m * k) / kept;
      return {
        name,
        by: "nonzero",
        threads,
        pattern: weightings.find((one) => one.name === name)?.pattern ?? DENSE,
        layout,
        sparsity: rounded(sparsity),
        bytes,
        ...row,
        ideal: rounded(ideal),
        above_ideal: name !== DENSE && row.against[DENSE]![1] > ideal,
        kept_gflops: rounded(gflops),
        share_of_peak: rounded(gflops / peak),
      };
    });
    const theirs = peers.map((peer): Row => {
      const row = timesOf(times.get(peer.name)!, others);
      const gflops = (2 * m * k * n * layers) / row.median_ms / 1e6;
      return { name: peer.name, by: peer.name, threads: peer.threads, ...row, kept_gflops: rounded(gflops) };
    });
    return { title, shape: { m, k, n }, layers, multiply_adds: m * k * n, rows: [...ours, ...theirs], missing };
  } finally {
    for (const release of releases) await release();
  }
}

const rounded = (value: number): number => Number(value.toPrecision(5));

function storedWeight(w: Matrix, { pattern: text, layout: wanted }: Weighting): Stored {
  const pattern = parsePattern(text);
  const shape = [w.cols, w.rows];
  const mask = pattern.select(magnitude(w));
  const layout = pattern.kind === DENSE ? null : wanted === undefined ? bestLayout(mask, pattern) : parseLayout(wanted);
  const kept = countNonzeros(mask);
  if (layout === null) {
    const matrix = { ...w, data: w.data.map((value, i) => (mask.data[i] === 0 ? 0 : value)) };
    const turned = transposed(matrix);
    const constant = (layer: number): Tensor =>
      new Tensor(
        "float32",
        shape,
        turned.map((value) => value * (1 + layer / 16)),
      );
    return { layout: DENSE, kept, bytes: 4 * w.rows * w.cols, matrix, constant };
  }
  const encoded = layout.encode(w, mask);
  const constant = (): SparseTensor => new SparseTensor(shape, [1, 0], encoded);
  const matrix = toMatrix(constant().toDense(), [1, 0]);
  return { layout: layout.text, kept, bytes: bytesOf(encoded), matrix, constant };
}

function transposed({ rows, cols, data }: Matrix): Float32Array {
  const to = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) to[c * rows + r] = data[r * cols + c]!;
  return to;
}

/**
 * Compares products with ones in double precision, within what rounding explains, on as many tokens, evenly spread, as `CHECKED` allows.
 */
function checker(x: Matrix, m: number): (name: string, y: Tensor, weight: Matrix) => void {
  const tokens = Math.max(1, Math.min(x.rows, Math.floor(CHECKED / (m * x.cols))));
  const chosen = Array.from({ length: tokens }, (_, i) => Math.floor((i * x.rows) / tokens));
  const picked = (data: Float32Array, cols: number): Matrix => {
    const turned = new Float32Array(tokens * cols);
    chosen.forEach((row, i) => {
      for (let c = 0; c < cols; c++) turned[c * tokens + i] = data[row * cols + c]!;
    });
    return { rows: cols, cols: tokens, data: turned };
  };
  const some = picked(x.data, x.cols);
  const expected = new WeakMap<Matrix, ReturnType<typeof expectedProduct>>();
  return (name, y, weight) => {
    if (y.shape.join() !== `${x.rows},${m}`) throw new Error(`${name}: the product has shape [${y.shape}]`);
    const right = expected.get(weight) ?? expectedProduct(weight, some);
    expected.set(weight, right);
    const got = picked(y.data as Float32Array, m);
    const difference = disagreement(new Tensor("float32", [m, tokens], got.data), right);
    if (difference !== null) throw new Error(`${name}: ${difference}`);
  };
}
