import type { HostSteps, LocatedTensor, Plan, PlanMaker, Specialized } from "../compiler/index.js";
import type { Value } from "../graph/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";

/**
 * Plans of `first`, a device that answers later; of `second`, which is asked for when it is first needed, those that `first` cannot make or
 * cannot run: they exceed its limits, it has no room, or it was lost. `say` hears why, each time.
 * What was in the memory of `first` is brought to the host for `second`, whose outputs stay there.
 */
export function withFallback(
  first: PlanMaker<Promise<Tensor[]>>,
  second: () => PlanMaker,
  say: (error: NonzeroError) => void,
): PlanMaker<Promise<Tensor[]>> {
  return {
    plan: (spec, host, fed) => planWithFallback([first, second, say], spec, host, fed),
    nested: () => first.nested(),
    ...(first.download === undefined ? {} : { download: (tensor) => first.download!(tensor) }),
  };
}

function planWithFallback(
  [first, second, say]: Parameters<typeof withFallback>,
  spec: Specialized,
  host: HostSteps,
  fed?: ReadonlySet<Value>,
): Plan<Promise<Tensor[]>> {
  let slower: Plan | null = null;
  const fall = (cause: unknown): Plan => {
    if (!(cause instanceof NonzeroError) || cause.code !== "device") throw cause;
    if (slower === null) {
      say(cause);
      slower = second().plan(spec, host);
    }
    return slower;
  };
  const make = (): Plan<Promise<Tensor[]>> | null => {
    try {
      return first.plan(spec, host, fed);
    } catch (cause) {
      fall(cause);
      return null;
    }
  };
  let faster = make();
  /** By `faster`; by `slower` where there is none any more. */
  const by = async <T>(fast: (plan: Plan<Promise<Tensor[]>>) => Promise<T>, slow: (plan: Plan) => T | Promise<T>) => {
    const plan = faster;
    if (plan === null) return slow(slower!);
    try {
      return await fast(plan);
    } catch (cause) {
      const other = fall(cause);
      if (plan === faster) {
        faster = null;
        plan.release();
      }
      return slow(other);
    }
  };
  const onHost = (feeds: readonly LocatedTensor[]): Promise<Tensor[]> =>
    Promise.all(feeds.map(async (feed) => (feed instanceof Tensor ? feed : first.download!(feed))));

  return {
    run: (feeds, fetches) =>
      by(
        (plan) => plan.run(feeds, fetches),
        (plan) => plan.run(feeds, fetches),
      ),
    runLocated: (feeds) =>
      by<readonly LocatedTensor[]>(
        (plan) => plan.runLocated!(feeds),
        async (plan) => plan.run(await onHost(feeds)),
      ) as Promise<LocatedTensor[]>,
    describe: () => (faster ?? slower!).describe(),
    profile: (feeds) =>
      by(
        (plan) => plan.profile(feeds),
        (plan) => plan.profile(feeds),
      ),
    release() {
      faster?.release();
      slower?.release();
    },
  };
}
