import { detectDevice, Session } from "../../backends/wasm/index.js";
import { Executor, optimize } from "../../compiler/index.js";
import type { Model } from "../../graph/index.js";
import { addObserver } from "../../ops/index.js";
import { locate, NonzeroError, Tensor } from "../../tensor/index.js";
import { ConvInputAccumulator, CrossAccumulator, InputAccumulator, type InputStatistics } from "../statistics/index.js";
import { observedGraph } from "./observed-model.js";
import { type Reading, type Site, type Source, siteLabel } from "./sites.js";

export interface CalibrateOptions {
  /** Gram matrices besides means and norms. */
  readonly gram: boolean;
  /** A model of the same graph, whose inputs of the same layers are summed up beside the model's own (`cross`), as far as they are features. */
  readonly reference?: Model | undefined;
  /** Threads of the WebAssembly device; default: all processors, at most 8. */
  readonly threads?: number;
  /** Called after each sample. */
  readonly onSample?: (done: number, total: number) => void;
  /** Stops between samples with NonzeroError "aborted". */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a model on samples (feeds in order of its inputs) and sums up what each source's weights are multiplied with: one entry for each group of a
 * convolution, one for anything else. Runs on WebAssembly, and no further than the sources need.
 * @throws NonzeroError "invalid-argument" for activations that are not finite and for a source that no sample reaches, "aborted", and what running throws.
 */
export async function calibrate(
  model: Model,
  samples: readonly (readonly Tensor[])[],
  sources: readonly Source[],
  { gram, reference, threads, onSample, signal }: CalibrateOptions,
): Promise<Map<Source, readonly InputStatistics[]>> {
  const accumulators = new Map(sources.map((source) => [source, accumulatorOf(source, gram, reference !== undefined)]));
  const told = new Map<Site, Accumulate[]>();
  for (const [{ sites }, accumulator] of accumulators)
    for (const site of sites) told.set(site, [...(told.get(site) ?? []), accumulator.at(site.reading)]);
  // What the reference's layers were given in the sample at hand, in order, until the model's own are.
  const expected = new Map([...told.keys()].map((site): [Site, Tensor[]] => [site, []]));
  const observers = new Map(
    [...told].map(([site, accumulates]) => [
      site,
      addObserver((tensor) => {
        const beside = reference === undefined ? undefined : besideOf(tensor, expected.get(site)!.shift(), site);
        for (const accumulate of accumulates) accumulate(tensor, beside);
      }),
    ]),
  );
  const referenceObservers = new Map(
    reference === undefined
      ? []
      : [...expected].map(([site, tensors]) => [site, addObserver((tensor) => tensors.push(copyOf(tensor)))]),
  );
  const session = new Session(detectDevice(threads));
  const executorOf = ({ graph }: Model, seen: typeof observers): Executor => {
    const ids = new Map([...seen].map(([site, { id }]) => [site, id]));
    return new Executor(optimize(observedGraph(graph, ids)), session);
  };
  try {
    const executor = executorOf(model, observers);
    const other = reference === undefined ? null : executorOf(reference, referenceObservers);
    for (const [i, feeds] of samples.entries()) {
      await new Promise((resolve) => setTimeout(resolve)); // lets progress be drawn, and the signal arrive
      if (signal?.aborted) throw new NonzeroError("aborted", "calibration was stopped");
      locate({ file: `calibration sample ${i}` }, () => {
        for (const tensors of expected.values()) tensors.length = 0;
        other?.run(feeds);
        executor.run(feeds);
      });
      onSample?.(i + 1, samples.length);
    }
    executor.release();
    other?.release();
  } finally {
    session.release();
    for (const { remove } of [...observers.values(), ...referenceObservers.values()]) remove();
  }
  return new Map([...accumulators].map(([source, { statistics }]) => [source, reached(source, statistics())]));
}

/** Bytes that a source's sums take while they are made. */
export const sumsBytes = ({ weights, sites }: Source, gram: boolean): number => {
  const { cols } = weights[0]!;
  const { reading } = sites[0]!;
  const groups = reading.kind === "patches" ? reading.attributes.group : 1;
  return 8 * groups * (gram ? cols * cols : cols);
};

/** Takes in what a layer is given and, with a reference, what that one's is given at the same place. */
type Accumulate = (tensor: Tensor, beside?: Tensor) => void;

interface Accumulator {
  /** How a tensor that is read so is taken in. */
  at(reading: Reading): Accumulate;
  statistics(): readonly InputStatistics[];
}

const copyOf = ({ dtype, shape, data }: Tensor): Tensor => new Tensor(dtype, shape, (data as Float32Array).slice());

/** @throws NonzeroError "unsupported" where a loop or a branch went another way than in the reference. */
function besideOf(tensor: Tensor, beside: Tensor | undefined, site: Site): Tensor {
  if (beside?.shape.join() === tensor.shape.join()) return beside;
  const reason =
    "the pruned model takes another way through its loops and branches than the dense one: calibrate on its own";
  throw new NonzeroError("unsupported", reason, { node: siteLabel(site), field: "target" });
}

function accumulatorOf({ weights, sites }: Source, gram: boolean, beside: boolean): Accumulator {
  const { reading } = sites[0]!;
  if (reading.kind === "patches") {
    const conv = new ConvInputAccumulator(reading.weight, reading.attributes, { gram });
    return { at: () => (tensor) => conv.accumulate(tensor), statistics: () => conv.statistics() };
  }
  const features = new InputAccumulator(weights[0]!.cols, { gram });
  const cross = beside ? new CrossAccumulator(weights[0]!.cols) : null;
  return {
    at: (reading) => {
      const channelsLast = reading.kind === "features" && reading.axis === -1;
      const oriented = (tensor: Tensor): Tensor => (channelsLast ? tensor : lastTwoSwapped(tensor));
      return (tensor, beside) => {
        features.accumulate(oriented(tensor));
        if (beside !== undefined) cross?.accumulate(oriented(tensor), oriented(beside));
      };
    },
    statistics: () => [{ ...features.statistics(), cross: cross?.sums() ?? null }],
  };
}

/** [.., a, b] as [.., b, a], in float32 or float64. */
function lastTwoSwapped(tensor: Tensor): Tensor {
  const values = tensor.numbers() as Float32Array;
  const [rows, cols] = tensor.shape.slice(-2) as [number, number];
  const swapped = values.slice();
  for (let base = 0; base < values.length; base += rows * cols) {
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++) swapped[base + col * rows + row] = values[base + row * cols + col]!;
  }
  const dtype = swapped instanceof Float32Array ? "float32" : "float64";
  return new Tensor(dtype, [...tensor.shape.slice(0, -2), cols, rows], swapped);
}

function reached({ weights }: Source, statistics: readonly InputStatistics[]): readonly InputStatistics[] {
  if (statistics.some(({ count }) => count > 0)) return statistics;
  throw new NonzeroError("invalid-argument", "no calibration sample reaches the weight", {
    node: weights[0]!.nodes[0],
    field: weights[0]!.name,
  });
}
