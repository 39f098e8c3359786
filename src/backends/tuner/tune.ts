import { labelOf } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import type { Choices, Decision } from "./choices.js";
import { type Finding, search } from "./search.js";

/** A decision that several nodes may share. */
export interface Task extends Decision {
  readonly nodes: readonly string[];
}

/** A candidate ready to be timed. */
export interface Trial {
  /** Runs it once; milliseconds by the device's best clock. */
  time(): number | Promise<number>;
  release(): unknown;
}

/** Where candidates are tried. */
export interface Workbench {
  /** @throws what lowering throws: the device's limits may not allow the candidate. */
  trial(task: Task, candidate: string): Trial | Promise<Trial>;
  /** Gives back what the last task's trials shared. */
  clear(): unknown;
}

export interface TuneOptions {
  /** Milliseconds for all. */
  readonly budget: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TuneProgress) => void) | undefined;
  /** Hears each result as soon as it is there. */
  readonly onResult?: (result: TuneResult) => unknown;
  readonly now?: () => number;
  readonly rest?: () => Promise<unknown>;
}

export interface TuneProgress {
  readonly done: number;
  readonly total: number;
  /** What is being measured now: the kernel and the first of its nodes. */
  readonly subject: string;
  readonly node: string;
  /** Seconds of the budget that are left. */
  readonly secondsLeft: number;
}

/** What was measured of a task. */
export interface TuneResult extends Finding {
  readonly key: string;
  readonly subject: string;
  readonly nodes: readonly string[];
  readonly candidates: readonly string[];
  /** The candidate that is taken from now on, as JSON; the first, the default, unless another was faster beyond noise. */
  readonly choice: string;
}

export interface TuneOutcome {
  readonly results: readonly TuneResult[];
  /** Tasks that the budget, or the signal, left no time for: they keep their defaults. */
  readonly left: readonly Task[];
}

/** The same decision of several nodes once, with their names. */
export function tasksOf(decisions: readonly Decision[]): Task[] {
  const tasks = new Map<string, { first: Decision; nodes: string[] }>();
  for (const decision of decisions) {
    const task = tasks.get(decision.key) ?? { first: decision, nodes: [] };
    tasks.set(decision.key, task);
    task.nodes.push(labelOf(decision.step.node));
  }
  return [...tasks.values()].map(({ first, nodes }) => ({ ...first, nodes }));
}

/**
 * Measures tasks, those that take most of the time first, each with a share of the budget that is its share of the time, and sets what is
 * faster in `choices`. Ends early, with what there is, when the budget is spent or the signal aborts.
 */
export async function tune(
  tasks: readonly Task[],
  bench: Workbench,
  choices: Choices,
  { budget, signal, onProgress, onResult, now = () => performance.now(), rest = breathe }: TuneOptions,
): Promise<TuneOutcome> {
  const end = now() + budget;
  const stopped = (): boolean => signal?.aborted === true || now() >= end;
  const say = (done: number, { subject, nodes }: Task): void =>
    onProgress?.({
      ...{ done, total: tasks.length, subject, node: nodes[0]! },
      secondsLeft: Math.max(0, (end - now()) / 1000),
    });

  const weighed: { task: Task; weight: number }[] = [];
  for (const task of tasks) {
    if (stopped()) break;
    say(0, task);
    await rest();
    const ms = await once(task, bench);
    if (ms !== null) weighed.push({ task, weight: ms * task.nodes.length });
  }
  weighed.sort((a, b) => b.weight - a.weight);

  const results: TuneResult[] = [];
  let open = weighed.reduce((sum, { weight }) => sum + weight, 0);
  for (const [i, { task, weight }] of weighed.entries()) {
    if (stopped()) break;
    say(i, task);
    const share = Math.max(LEAST_SHARE, weight / open) * (end - now());
    open -= weight;
    const finding = await compare(task, bench, { budget: share, now, signal, rest });
    if (finding === null) continue;
    const { key, subject, nodes, candidates } = task;
    const choice = candidates[finding.winner]!;
    choices.set(key, choice);
    const result = { ...finding, key, subject, nodes, candidates, choice };
    results.push(result);
    await onResult?.(result);
  }
  const measured = new Set(results.map(({ key }) => key));
  return { results, left: tasks.filter(({ key }) => !measured.has(key)) };
}

/** What is left is divided among all tasks by their weight, but no task gets less than this share: small ones need little. */
const LEAST_SHARE = 0.05;

/** Milliseconds of the default, warmed up a little; null where it cannot be run by itself. */
async function once(task: Task, bench: Workbench): Promise<number | null> {
  try {
    const trial = await bench.trial(task, task.candidates[0]!);
    try {
      await trial.time();
      return Math.max(1e-3, await trial.time());
    } finally {
      await trial.release();
    }
  } catch (cause) {
    if (cause instanceof NonzeroError) return null;
    throw cause;
  } finally {
    await bench.clear();
  }
}

async function compare(task: Task, bench: Workbench, options: Parameters<typeof search>[2]): Promise<Finding | null> {
  const trials = new Map<number, Trial>();
  const trialOf = async (candidate: number): Promise<Trial> => {
    const trial = trials.get(candidate) ?? (await bench.trial(task, task.candidates[candidate]!));
    trials.set(candidate, trial);
    return trial;
  };
  try {
    return await search(
      (candidate) => trials.get(candidate)?.time() ?? trialOf(candidate).then((trial) => trial.time()),
      task.candidates.length,
      options,
    );
  } finally {
    for (const trial of trials.values()) await trial.release();
    await bench.clear();
  }
}

/** Lets timers, messages and signals through. */
const breathe = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve));
