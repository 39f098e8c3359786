import { NonzeroError } from "../../tensor/index.js";
import type { Trial } from "./sensitivity.js";

/** What the pruned layers may cost together. */
export interface Budget {
  /**
   * `sparsity`: share of zeros over all layers, at least; `bytes`: their weights' bytes, at most; `multiplyAdds`: of one run, at most; `cost`: by a function
   * of one's own (predicted milliseconds), at most.
   */
  readonly of: "sparsity" | "bytes" | "multiplyAdds" | "cost";
  readonly target: number;
  /** Multiply-adds of the dense layer, by the weight's name, for `multiplyAdds`: `multiplyAddsOf`. */
  readonly multiplyAdds?: (weight: string) => number;
  /** For `cost`: of a layer under a trial, or dense where there is none. */
  readonly cost?: (weight: string, trial: Trial | null) => number;
}

/** What is to become of one layer: null leaves it dense. */
export type Allocation = ReadonlyMap<string, Trial | null>;

interface Choice {
  readonly trial: Trial | null;
  readonly cost: number;
  readonly error: number;
}

/**
 * For each layer the pattern and method with which all of them together keep within the budget, at the least sum of the layers' errors: of each layer's
 * choices only those count that no mixture of two others beats (the lower convex hull of error over cost), and of the steps from one to the next those are
 * taken first that save most for the error that they add. The last step goes further than it must, if at all; what it left over is spent on
 * undoing others' where that fits. It is the relaxation of the multiple-choice knapsack, off by one step at most.
 * @throws NonzeroError "invalid-argument" where not even all layers at their cheapest meet the budget; "not-found" without trials.
 */
export function allocate(trials: readonly Trial[], budget: Budget): Allocation {
  if (trials.length === 0)
    throw new NonzeroError("not-found", "there are no trials to choose from", { field: "trials" });
  const layers = new Map<string, Trial[]>();
  for (const trial of trials) layers.set(trial.weight, [...(layers.get(trial.weight) ?? []), trial]);
  const limit = limitOf(layers, budget);
  const hulls = new Map([...layers].map(([name, own]) => [name, hull(choicesOf(name, own, budget))]));
  const at = new Map([...hulls].map(([name]) => [name, 0]));
  let total = [...hulls.values()].reduce((sum, choices) => sum + choices[0]!.cost, 0);
  const most = limit + 1e-12 * total; // sums of costs are rounded
  const steps = [...hulls].flatMap(([name, choices]) =>
    choices.slice(1).map((to, i) => {
      const from = choices[i]!;
      return { name, to: i + 1, saved: from.cost - to.cost, rate: (to.error - from.error) / (from.cost - to.cost) };
    }),
  );
  steps.sort((a, b) => a.rate - b.rate || a.to - b.to);
  const taken: typeof steps = [];
  for (const step of steps) {
    if (total <= most) break;
    total -= step.saved;
    at.set(step.name, step.to);
    taken.push(step);
  }
  if (total > most) {
    const least =
      budget.of === "sparsity" ? `${(1 - total / entriesOf(layers)).toFixed(4)} at most` : `${total} at least`;
    throw new NonzeroError("invalid-argument", `the trials give ${least}`, { field: "target" });
  }
  for (const { name, to, saved } of taken.reverse()) {
    if (at.get(name) !== to || total + saved > most) continue;
    at.set(name, to - 1);
    total += saved;
  }
  return new Map([...hulls].map(([name, choices]) => [name, choices[at.get(name)!]!.trial]));
}

/** Bounds on what is counted: for sparsity, the entries that may stay. */
function limitOf(layers: ReadonlyMap<string, readonly Trial[]>, { of, target }: Budget): number {
  if (!(target >= 0 && target < Number.POSITIVE_INFINITY) || (of === "sparsity" && target > 1))
    throw new NonzeroError("invalid-argument", `${target} is no budget of ${of}`, { field: "target" });
  return of === "sparsity" ? (1 - target) * entriesOf(layers) : target;
}

const entriesOf = (layers: ReadonlyMap<string, readonly Trial[]>): number =>
  [...layers.values()].reduce((sum, [trial]) => sum + trial!.rows * trial!.cols, 0);

function choicesOf(name: string, trials: readonly Trial[], budget: Budget): Choice[] {
  const { rows, cols, denseBytes } = trials[0]!;
  const costs: Readonly<Record<Budget["of"], (trial: Trial | null) => number>> = {
    sparsity: (trial) => rows * cols * (1 - (trial?.sparsity ?? 0)),
    bytes: (trial) => trial?.bytes ?? denseBytes,
    multiplyAdds: (trial) => required(budget.multiplyAdds, "multiplyAdds")(name) * (1 - (trial?.sparsity ?? 0)),
    cost: (trial) => required(budget.cost, "cost")(name, trial),
  };
  const cost = costs[budget.of];
  return [
    { trial: null, cost: cost(null), error: 0 },
    ...trials.map((trial) => ({ trial, cost: cost(trial), error: trial.error })),
  ];
}

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new NonzeroError("invalid-argument", "the budget needs it", { field });
  return value;
}

/** The choices on the lower convex hull of error over cost, the one with the least error (dense, unless as good is cheaper) first. */
function hull(choices: readonly Choice[]): Choice[] {
  const found: Choice[] = [];
  const slope = (from: Choice, to: Choice): number => (to.error - from.error) / (from.cost - to.cost);
  for (const next of [...choices].sort((a, b) => a.error - b.error || a.cost - b.cost)) {
    if (found.length > 0 && next.cost >= found.at(-1)!.cost) continue;
    while (found.length > 1 && slope(found.at(-2)!, found.at(-1)!) >= slope(found.at(-1)!, next)) found.pop();
    found.push(next);
  }
  return found;
}
