import type { Feeds } from "../../prune/index.js";

/** How a task is run. */
export interface TaskOptions {
  /** Threads of the WebAssembly device. */
  readonly threads?: number;
  /** Items of the test set at most, from its beginning. */
  readonly limit?: number;
  readonly signal: AbortSignal;
  /** One line of progress. */
  readonly say: (line: string) => void;
}

/** What a model scored. */
export interface Score {
  readonly value: number;
  /** Items of the test set that were scored. */
  readonly items: number;
  /** Spelled out: `100 errors in 2595 words`. */
  readonly detail: string;
}

/** Samples for one model file, to be calibrated on. */
export interface SampleSet {
  /** The model's file in the folder. */
  readonly model: string;
  readonly samples: AsyncIterable<Feeds>;
}

/** A task that says how good a model is: real data with labels, and a metric. One file a task; `index.ts` lists them. */
export interface Task {
  readonly name: string;
  readonly summary: string;
  /** What the model argument is. */
  readonly model: string;
  readonly metric: { readonly name: string; readonly unit: string; readonly better: "lower" | "higher" };
  /** @throws NonzeroError as loading and running models and fetching data do. */
  score(model: string, options: TaskOptions): Promise<Score>;
  /** Samples that are disjoint from the test set; `count` of them, drawn by `seed`. */
  samples(
    model: string,
    options: TaskOptions & { readonly count: number; readonly seed: number },
  ): Promise<SampleSet[]>;
}
