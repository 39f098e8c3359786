import type { HostSteps, PlanMaker, Results, Specialized } from "../../compiler/index.js";
import type { Choices } from "./choices.js";
import { feedsOf, isolate } from "./isolate.js";
import type { Task, Trial, Workbench } from "./tune.js";

/** A session of a device, for trials alone. */
export interface TrialSession {
  readonly maker: PlanMaker<Results>;
  release(): unknown;
}

const noHost: HostSteps = {
  runSubgraph() {
    throw new Error("a node that a kernel takes has no subgraphs");
  },
};

/** A processor's caches, and more. */
const MOST_CHILL = 64 << 20;
const LEAST_CHILL = 1 << 18;
let swept = new Float64Array();

/** Reads so many bytes, at most `MOST_CHILL`. */
function chill(bytes: number): void {
  if (bytes < LEAST_CHILL) return;
  const length = Math.floor(Math.min(bytes, MOST_CHILL) / 8);
  if (swept.length < length) swept = new Float64Array(length).fill(1);
  let sum = 0;
  for (let i = 0; i < length; i += 8) sum += swept[i]!; // one in each cache line
  if (sum < 0) throw new Error("a sum of ones is not negative");
}

/** Bytes of the graph's weights but for the node's own: what other nodes bring into the caches between two runs of this one. */
function weightsBeside(task: Task, own: Specialized): number {
  const bytesOf = (spec: Specialized): number =>
    [...new Set(spec.constants.values())].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return bytesOf(task.spec) - bytesOf(own);
}

/**
 * Trials are plans of one node, with its own weights, in a session that `open` makes with the choices that it is given; all candidates of a task
 * share it, and its weights. On a processor a trial finds in the caches what it would find in a run of the whole model: its inputs,
 * but of its weights no more than all the others leave room for. `known` are the choices besides the one on trial.
 */
export function workbenchOf(open: (choices: Choices) => TrialSession, known: Choices): Workbench {
  let current: { readonly session: TrialSession; readonly choices: Choices } | null = null;
  return {
    async trial(task, candidate): Promise<Trial> {
      if (current === null) {
        const choices = known.copy();
        current = { session: open(choices), choices };
      }
      const { session, choices } = current;
      choices.set(task.key, candidate);
      const spec = isolate(task);
      const feeds = feedsOf(spec);
      const { maker } = session;
      if (maker.bind !== undefined) {
        const plan = maker.bind(spec, noHost);
        const others = weightsBeside(task, spec);
        return {
          time() {
            chill(others);
            plan.inputs().forEach((input, i) => {
              input.bytes().set(feeds[i]!.bytes());
            });
            const start = performance.now();
            plan.run();
            return performance.now() - start;
          },
          release: () => plan.release(),
        };
      }
      const plan = maker.plan(spec, noHost);
      return {
        async time() {
          const steps = await plan.profile(feeds);
          return steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
        },
        release: () => plan.release(),
      };
    },
    async clear() {
      await current?.session.release();
      current = null;
    },
  };
}
