import { Executor, optimize, specialize } from "../../../compiler/index.js";
import { NonzeroError } from "../../../tensor/index.js";
import {
  dot,
  type Family,
  fitSeconds,
  kernelFamily,
  kernelTerms,
  levelFor,
  type Peaks,
  type Point,
  productFamily,
  productTerms,
  relativeErrors,
  streamBytes,
} from "../../roofline/index.js";
import type { Cost } from "../../specs/node.js";
import { costsOf, type StepCost } from "../costs.js";
import { detectDevice } from "../device.js";
import { Session } from "../session.js";
import { calibrationSamples, OWN_TERMS } from "./grid.js";
import type { ProbeOptions } from "./peaks.js";
import { noise, type Sample } from "./samples.js";

/** A sample's costs and the seconds that a run of it took, the median. */
export interface Measured {
  readonly sample: Sample;
  readonly step: StepCost & { readonly cost: Cost };
  readonly seconds: number;
}

const BUDGET_MS = 12;
const WARM_UP_MS = 15;
const LEAST_BATCHES = 5;

/** Times one sample where its inputs and outputs stay in place. */
export async function measureSample(sample: Sample, threads: number, budget = BUDGET_MS): Promise<Measured> {
  const session = new Session(detectDevice(threads));
  const types = sample.shapes.map((shape) => ({ dtype: "float32" as const, shape }));
  const graph = optimize(sample.graph);
  const executor = new Executor(graph, session);
  try {
    const steps = costsOf(
      specialize(
        graph,
        types.map((type) => ({ type })),
      ),
      session.store.device,
    );
    const [step] = steps;
    if (steps.length !== 1 || step?.cost == null) throw new Error(`${sample.name} is not one kernel`);
    const plan = executor.bind(types);
    for (const input of plan.inputs()) (input.data as Float32Array).set(noise(input.size));
    const seconds = medianTime(() => plan.run(), budget);
    return { sample, step: { ...step, cost: step.cost }, seconds };
  } finally {
    executor.release();
    session.release();
  }
}

/** The median time of a run, in seconds, after it has become as fast as it gets: engines compile twice, the second time in the background. */
function medianTime(run: () => void, budget: number): number {
  const batch = (runs: number): number => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) run();
    return (performance.now() - start) / runs;
  };
  run();
  const begin = performance.now();
  // A page's clock is rounded, and says 0 of what is short: that is not a time.
  const timed = (runs: number): number => batch(runs) || Number.POSITIVE_INFINITY;
  let [fastest, since] = [timed(1), 0];
  while (performance.now() - begin < WARM_UP_MS || (since < 3 && performance.now() - begin < 10 * WARM_UP_MS)) {
    const time = timed(Math.max(1, Math.min(64, Math.round(1 / fastest))));
    since = time < 0.97 * fastest ? 0 : since + 1;
    fastest = Math.min(fastest, time);
  }
  const runs = Math.max(1, Math.round(1 / fastest));
  const times: number[] = [];
  const start = performance.now();
  while (times.length < LEAST_BATCHES || performance.now() - start < budget) times.push(batch(runs));
  times.sort((a, b) => a - b);
  return Math.max(times[times.length >> 1]!, 1e-6) / 1000;
}

/**
 * Fits the families' seconds to measurements of small graphs of one node, with as many threads as `peaks` has.
 * @throws NonzeroError "aborted".
 */
export async function calibrate(
  peaks: Peaks,
  { signal, onProgress, budget }: ProbeOptions,
  samples: readonly (() => Sample)[] = calibrationSamples(),
): Promise<Record<string, Family>> {
  const points = new Map<string, (Point & { traffic: number; memory: boolean })[]>();
  for (const [i, make] of samples.entries()) {
    const sample = make();
    onProgress?.(i / samples.length, sample.name);
    await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new NonzeroError("aborted", "the calibration was stopped");
    const { step, seconds } = await measureSample(sample, peaks.threads, budget);
    const { name, ...point } = describe(step.kernel, step.cost, peaks);
    points.set(name, [...(points.get(name) ?? []), { ...point, seconds }]);
  }
  return Object.fromEntries([...points].map(([name, list]) => [name, familyOf(list)]));
}

/** The family that a kernel's time belongs to, what its terms count, and the seconds that bringing its weight takes. */
function describe(
  kernel: string,
  cost: Cost,
  peaks: Peaks,
): { name: string; terms: number[]; traffic: number; memory: boolean } {
  const { product } = cost;
  if (product === undefined || OWN_TERMS.has(kernel))
    return { name: kernelFamily(kernel), terms: kernelTerms(cost), traffic: 0, memory: false };
  const { read, capacity } = levelFor(peaks, cost.bytes);
  const traffic = streamBytes(product) / read;
  return { name: productFamily(product), terms: productTerms(product), traffic, memory: capacity === null };
}

/**
 * Fitted to what was not bound by memory, where the kernel's own speed does not show; what was says how much of the bandwidth it reaches.
 */
function familyOf(points: readonly (Point & { traffic: number; memory: boolean })[]): Family {
  const free = points.filter(({ traffic, seconds, memory }) => !memory && traffic < 0.7 * seconds);
  const used = free.length >= 3 ? free : points;
  const seconds = fitSeconds(used);
  const errors = relativeErrors(used, seconds);
  const bound = points.filter((point) => point.memory && dot(point.terms, seconds) < point.seconds);
  const shares = bound.map(({ traffic, seconds: measured }) => Math.min(1, traffic / measured));
  return { seconds, memory: shares.length === 0 ? 1 : middle(shares), points: used.length, error: middle(errors) };
}

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
