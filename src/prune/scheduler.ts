import { NonzeroError } from "../tensor/index.js";

/** What a scheduler needs of a sparsifier: WeightNormSparsifier is one. */
export interface Schedulable {
  enableMaskUpdate: boolean;
  readonly groups: readonly { options: { readonly sparsityLevel: number } }[];
}

/**
 * Changes each group's sparsity level over time, as torch.ao.pruning's BaseScheduler does. Made after the sparsifier's `prepare`, it sets the
 * levels of epoch 0; each `step` sets those of the next, and `sparsifier.step()` then uses them.
 */
export abstract class BaseScheduler {
  /** Each group's level when the scheduler was made. */
  readonly baseSl: readonly number[];
  /** The epoch whose levels are set; -1 before the first. */
  lastEpoch = -1;
  readonly #sparsifier: Schedulable;

  constructor(sparsifier: Schedulable) {
    this.#sparsifier = sparsifier;
    this.baseSl = sparsifier.groups.map(({ options }) => options.sparsityLevel);
  }

  /** The levels as they stand, one a group. */
  get lastSl(): readonly number[] {
    return this.#sparsifier.groups.map(({ options }) => options.sparsityLevel);
  }

  /** Sets the levels of the next epoch. */
  step(): void {
    this.lastEpoch++;
    this.#sparsifier.groups.forEach((group, i) => {
      const base = this.baseSl[i];
      if (base === undefined)
        throw new NonzeroError("invalid-argument", "the sparsifier got more weights after its scheduler was made");
      group.options = { ...group.options, sparsityLevel: this.level(base, i) };
    });
    this.#sparsifier.enableMaskUpdate = true;
  }

  /** The level of a group in epoch `lastEpoch`. */
  protected abstract level(base: number, group: number): number;
}

/** One setting for all groups, or one for each. */
export type PerGroup<T> = T | readonly T[];

/** That setting for each of `count` groups. @throws NonzeroError "invalid-argument" for a list of another length. */
export function perGroup<T extends number | ((epoch: number) => number)>(
  given: PerGroup<T>,
  count: number,
  field: string,
): readonly T[] {
  if (!Array.isArray(given)) return new Array<T>(count).fill(given as T);
  if (given.length === count) return given as readonly T[];
  throw new NonzeroError("invalid-argument", `expected ${count}, one for each weight, not ${given.length}`, { field });
}
