import type { Model } from "../../graph/index.js";
import type { Feeds } from "../../prune/index.js";
import { Runner } from "../../runtime/index.js";
import { pairedTimes } from "../bench/paired.js";
import { median, pairedRatio } from "../bench/statistics.js";
import type { Speed } from "./data.js";

const SECONDS = 1;

/** Times both models on WebAssembly in turn, on one input, about a second each. Null when stopped. */
export async function speedOf(dense: Model, sparse: Model, feeds: Feeds, signal: AbortSignal): Promise<Speed | null> {
  const runners = [new Runner(dense), new Runner(sparse)];
  try {
    const contestants = runners.map((runner, i) => ({ name: `${i}`, run: () => runner.run(feeds) }));
    const [before, after] = await pairedTimes(contestants, { seconds: SECONDS, signal });
    if (signal.aborted) return null;
    const [denseMs, sparseMs] = [median(before!.samples), median(after!.samples)];
    return { threads: runners[1]!.threads, denseMs, sparseMs, ratio: pairedRatio(after!.samples, before!.samples) };
  } finally {
    for (const runner of runners) runner.release();
  }
}
