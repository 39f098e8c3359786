import type { Constant, Model, Value } from "../graph/index.js";
import type { Matrix, Pattern } from "../sparsity/index.js";
import { locate, NonzeroError } from "../tensor/index.js";
import { calibrate, collectSamples, type Samples, type Source, sourcesOf, sumsBytes } from "./calibration/index.js";
import type { LayerPruner, PrunedLayer } from "./layer-pruner.js";
import { mendWeight, weightMatrix } from "./mask-weight.js";
import { magnitudePruner } from "./methods/scores.js";
import { replaceConstants } from "./replace.js";
import { retargeted } from "./retarget.js";
import type { InputStatistics } from "./statistics/index.js";
import type { Weight } from "./weights.js";

/** What methods that look at a layer's inputs are given to see. */
export interface CalibrationOptions {
  readonly samples: Samples;
  /**
   * "sequential" (default): weights are pruned in the order in which the model computes, each by the inputs that the pruned ones before it leave; the
   * samples run once for each set of weights with the same inputs. "dense": all by the inputs that they have in the model as it is.
   */
  readonly order?: "sequential" | "dense";
  /**
   * For "sequential" and methods that change weights: what a layer is mended to give. "own" (default): what its weight as it was would give on the inputs that
   * it now gets, as SparseGPT has it. "dense": what it gives in the dense model, so that it makes up for what pruning the layers before it
   * changed (asymmetric calibration: "GPTAQ", arXiv 2504.02692); the samples run through both models, and errors are told of the weight so moved. It fits what it sees
   * closely: with few rows for each input it does harm.
   */
  readonly target?: "dense" | "own";
  /** For "dense": bytes that the sums of all layers may take at a time; the samples run again for those beyond. Default 1 GiB. */
  readonly memory?: number;
  /** Threads that run the samples; default: all processors, at most 8. */
  readonly threads?: number;
  /** Called after each run of a sample. */
  readonly onSample?: (done: number, total: number) => void;
}

/** How one weight is pruned. */
export interface Pruning {
  readonly method: LayerPruner;
  /** The method's; what is left out is its default. */
  readonly options: object;
  pattern(weight: Weight): Pattern;
}

/** One weight's result, with what it was. */
export interface PrunedWeight extends PrunedLayer {
  readonly weightInfo: Weight;
  readonly original: Matrix;
  readonly pattern: Pattern;
  readonly milliseconds: number;
}

/** Bytes that the sums of layers may take where nothing else is said. */
export const GIBIBYTE = 2 ** 30;

/**
 * Prunes weights one after another: in the given order where the method needs no inputs, otherwise in the order in which the model computes them.
 * @throws NonzeroError as the method, calibration and running do; naming the weight.
 */
export async function* pruneWeights(
  model: Model,
  weights: readonly Weight[],
  pruning: Pruning,
  calibration: CalibrationOptions | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<PrunedWeight> {
  const { method } = pruning;
  if (method.needs === "nothing") {
    for (const weight of weights) yield await inTurn(weight, pruning, null, signal);
    return;
  }
  if (calibration === undefined)
    throw new NonzeroError("invalid-argument", `the method '${method.name}' needs calibration samples`, {
      field: "calibration",
    });
  const samples = await collectSamples(model.graph, calibration.samples);
  const sources = sourcesOf(model, weights);
  const { order = "sequential", target = "own", memory = GIBIBYTE } = calibration;
  const gram = method.needs === "gram";
  const reference = order === "sequential" && target === "dense" && gram ? model : undefined;
  const batches = order === "sequential" ? sources.map((source) => [source]) : batchesWithin(memory, sources, gram);
  const pruned = new Map<Value, Constant>();
  for (const [b, batch] of batches.entries()) {
    const statistics = await calibrate(replaceConstants(model, pruned), samples, batch, {
      gram,
      signal,
      reference: pruned.size > 0 ? reference : undefined, // nothing has changed before the first
      ...(calibration.threads === undefined ? {} : { threads: calibration.threads }),
      onSample: (done) => calibration.onSample?.(b * samples.length + done, batches.length * samples.length),
    });
    for (const [source, seen] of statistics) {
      for (const weight of source.weights) {
        const result = await inTurn(weight, pruning, seen, signal);
        if (order === "sequential") pruned.set(weight.value, mendWeight(weight, result.weight));
        yield result;
      }
    }
  }
  const seen = new Set(sources.flatMap((source) => source.weights));
  for (const weight of weights) {
    if (seen.has(weight)) continue;
    const result = await inTurn(weight, { ...pruning, method: magnitudePruner, options: {} }, null, signal);
    const note = `it has no inputs that calibration could see (${weight.kind}): pruned by magnitude`;
    yield { ...result, notes: [...result.notes, note] };
  }
}

/** Sources in order, as many together as their sums fit `memory`; at least one. */
export function batchesWithin(memory: number, sources: readonly Source[], gram: boolean): Source[][] {
  const batches: Source[][] = [];
  let room = 0;
  for (const source of sources) {
    const bytes = sumsBytes(source, gram);
    if (batches.length === 0 || bytes > room) {
      batches.push([]);
      room = memory;
    }
    batches.at(-1)!.push(source);
    room -= bytes;
  }
  return batches;
}

/** Prunes one weight, after others had a chance to draw progress or to stop it. */
export async function inTurn(
  weight: Weight,
  pruning: Pruning,
  statistics: readonly InputStatistics[] | null,
  signal: AbortSignal | undefined,
): Promise<PrunedWeight> {
  await new Promise((resolve) => setTimeout(resolve));
  if (signal?.aborted) throw new NonzeroError("aborted", "pruning was stopped; nothing was changed");
  return locate({ node: weight.nodes[0], field: weight.name }, () => {
    const start = performance.now();
    const original = weightMatrix(weight);
    const pattern = pruning.pattern(weight);
    const groups = statistics ?? [null];
    const layers = rowGroups(original, groups.length).map((part, g) => {
      const seen = groups[g]!;
      const wanted = seen?.cross ? retargeted(part, seen) : part;
      return pruning.method.prune(wanted, seen, pattern, pruning.options);
    });
    const layer = layers.length === 1 ? layers[0]! : joined(layers);
    return { ...layer, weightInfo: weight, original, pattern, milliseconds: performance.now() - start };
  });
}

/** The rows of a grouped convolution's weight by group: each group has inputs of its own. */
function rowGroups({ rows, cols, data }: Matrix, groups: number): Matrix[] {
  const each = rows / groups;
  return Array.from({ length: groups }, (_, g) => ({
    rows: each,
    cols,
    data: data.subarray(g * each * cols, (g + 1) * each * cols),
  }));
}

/** Groups' results as one; its error is their mean. */
function joined(layers: readonly PrunedLayer[]): PrunedLayer {
  const { cols } = layers[0]!.weight;
  const rows = layers.reduce((sum, { weight }) => sum + weight.rows, 0);
  const data = new Float32Array(rows * cols);
  const mask = new Uint8Array(rows * cols);
  let at = 0;
  for (const { weight, mask: part } of layers) {
    data.set(weight.data, at);
    mask.set(part.data, at);
    at += weight.data.length;
  }
  const errors = layers.map(({ error }) => error);
  const known = errors.filter((error) => error !== null);
  return {
    weight: { rows, cols, data },
    mask: { rows, cols, data: mask },
    error: known.length < errors.length ? null : known.reduce((sum, error) => sum + error, 0) / errors.length,
    notes: [...new Set(layers.flatMap(({ notes }) => notes))],
  };
}
