import {
  addEntries,
  type Choices,
  type Decision,
  entryOf,
  readEntries,
  storageCache,
  type Task,
  type TuneProgress,
  type TuneResult,
  type TuningCache,
  type Workbench,
} from "../backends/tuner/index.js";
import type { Value } from "../graph/index.js";
import { NonzeroError, sizeOf, Tensor } from "../tensor/index.js";

export interface TuneOptions {
  /** Seconds to measure at most; default 30. With 0 nothing is measured, only what the cache knows is used. */
  readonly budget?: number;
  /** Where results are kept; default a folder of the user's (Node) or the origin's cache storage (pages), null for nowhere. */
  readonly cache?: TuningCache | null;
  /** Measure what the cache knows already, too. */
  readonly again?: boolean;
  /** Stops: what was measured until then stays. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TuneProgress) => void;
  /** Hears, as a NonzeroError "io", of a cache that cannot be read or written; default: the console. */
  readonly onWarning?: (warning: NonzeroError) => void;
}

export interface TuneAtCreation extends TuneOptions {
  /** Sizes for named dimensions of the inputs, by name, to tune for; `freeDimensionOverrides` are known already. */
  readonly dims?: Readonly<Record<string, number>>;
}

/** What was measured. */
export interface TuneReport {
  readonly results: readonly TuneResult[];
  /** Decisions that were measured before. */
  readonly known: number;
  /** Nodes whose kernels keep their defaults because there was no time to measure them, or no way to run them by themselves. */
  readonly left: readonly string[];
  /** The signal stopped it. */
  readonly stopped: boolean;
}

/** What a device lets be tuned. */
export interface Tunable {
  /** What measurements depend on: engine or adapter, features, threads. */
  readonly identity: string;
  /** What its sessions ask. */
  readonly choices: Choices;
  workbench(): Promise<Workbench>;
}

const SECONDS = 30;

let usual: TuningCache | null | undefined;

/** Puts another default cache in place; `nonzero` does in Node. */
export function setTuningCache(cache: TuningCache): void {
  usual = cache;
}

const cacheOf = ({ cache }: TuneOptions): TuningCache | null => {
  if (cache !== undefined) return cache;
  usual ??= storageCache();
  return usual;
};

const warnOf = ({ onWarning }: TuneOptions): ((warning: NonzeroError) => void) =>
  onWarning ?? ((warning) => console.warn(`nonzero: ${warning.message}`));

/** Lets a device choose as the cache knows. */
export async function recall({ identity, choices }: Tunable, options: TuneOptions): Promise<void> {
  const cache = cacheOf(options);
  if (cache === null) return;
  const entries = await readEntries(cache, identity, warnOf(options));
  for (const [key, { choice }] of entries) choices.set(key, choice);
}

/**
 * Measures what is not known yet of the decisions that `plan`, which makes the model's plans anew, meets, and keeps it.
 * @throws NonzeroError "invalid-argument" for a budget that is none.
 */
export async function tuneTo(
  tunable: Tunable,
  plan: () => Promise<unknown>,
  options: TuneOptions,
): Promise<TuneReport> {
  const { budget = SECONDS, again = false, signal, onProgress } = options;
  if (!(budget >= 0))
    throw new NonzeroError("invalid-argument", `${budget} is no number of seconds`, { field: "budget" });
  const { identity, choices } = tunable;
  const { tasksOf, tune } = await import("../backends/tuner/tune.js"); // loaded by those who tune
  const cache = cacheOf(options);
  const end = performance.now() + 1000 * budget;
  const results: TuneResult[] = [];
  let known = 0;
  const left: string[] = [];
  const collect = async (): Promise<Task[]> => {
    const decisions: Decision[] = [];
    await choices.listening((decision) => decisions.push(decision), plan);
    return tasksOf(decisions);
  };
  const measure = async (tasks: readonly Task[]): Promise<void> => {
    const open = tasks.filter(({ key }) => again || !choices.has(key));
    known += tasks.length - open.length;
    const outcome = await tune(open, await tunable.workbench(), choices, {
      ...{ budget: Math.max(0, end - performance.now()), signal, onProgress },
      onResult: async (result) => {
        results.push(result);
        if (cache !== null) await addEntries(cache, identity, [[result.key, entryOf(result)]], warnOf(options));
      },
    });
    left.push(...outcome.left.flatMap(({ nodes }) => nodes));
  };
  if (!again) await recall(tunable, options);
  let tasks = await collect();
  const ofLayouts = tasks.filter(({ subject }) => subject === LAYOUT);
  if (ofLayouts.length > 0) {
    await measure(ofLayouts);
    tasks = await collect(); // which schedules there are depends on the layouts
  }
  await measure(tasks.filter(({ subject }) => subject !== LAYOUT));
  return { results, known, left, stopped: signal?.aborted === true };
}

/** The subject of decisions about how a weight is stored. */
const LAYOUT = "layout";

/**
 * Inputs to tune for, by their declared types: floats random, everything else 1.
 * @throws NonzeroError "invalid-argument" naming an input of unknown size.
 */
export function exampleFeeds(
  inputs: readonly Value[],
  dims: Readonly<Record<string, number>> = {},
): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.map(({ name, type }) => {
      const shape = type?.shape?.map((dim) => (typeof dim === "number" ? dim : dims[dim]));
      if (!shape?.every((dim) => dim !== undefined) || type?.dtype === "string") {
        const unknown = type?.shape?.find((dim) => typeof dim === "string" && dims[dim] === undefined);
        const reason =
          unknown === undefined
            ? "there is no telling what to feed: call `tune` with feeds"
            : `the size of '${unknown}' must be known to tune: give it in 'dims' or 'freeDimensionOverrides'`;
        throw new NonzeroError("invalid-argument", reason, { field: name });
      }
      if (!isPossible(shape))
        throw new NonzeroError("invalid-argument", `no input of shape [${shape}] can be made to tune for`, {
          field: name,
        });
      const float = type!.dtype.startsWith("float") || type!.dtype === "bfloat16";
      const values = Float64Array.from({ length: sizeOf(shape) }, () => (float ? 2 * Math.random() - 1 : 1));
      return [name, Tensor.from(type!.dtype, shape, values)];
    }),
  );
}

/** Elements that fit into WebAssembly's memory. */
const MOST_ELEMENTS = 2 ** 30;

const isPossible = (shape: readonly number[]): boolean =>
  shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) && sizeOf(shape) <= MOST_ELEMENTS;
