import { BaseScheduler, type PerGroup, perGroup, type Schedulable } from "./scheduler.js";

/** torch.ao.pruning's LambdaSL: level = the level at the start × slLambda(epoch), not clamped. */
export class LambdaSL extends BaseScheduler {
  readonly #lambdas: readonly ((epoch: number) => number)[];

  /** @throws NonzeroError "invalid-argument" for a list of functions that has not one for each weight. */
  constructor(sparsifier: Schedulable, slLambda: PerGroup<(epoch: number) => number>) {
    super(sparsifier);
    this.#lambdas = perGroup(slLambda, this.baseSl.length, "slLambda");
    this.step();
  }

  protected override level(base: number, group: number): number {
    return base * this.#lambdas[group]!(this.lastEpoch);
  }
}
