import type { HostSteps, PlanMaker, Results } from "../../compiler/index.js";
import type { Choices } from "./choices.js";
import { feedsOf, isolate } from "./isolate.js";
import type { Trial, Workbench } from "./tune.js";

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

/**
 * Trials are plans of one node, with its own weights, in a session that `open` makes with the choices that it is given; all candidates of a task
 * share it, and its weights. `known` are the choices besides the one on trial.
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
        plan.inputs().forEach((input, i) => {
          input.bytes().set(feeds[i]!.bytes());
        });
        return {
          time() {
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
