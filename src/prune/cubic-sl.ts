import { BaseScheduler, type PerGroup, perGroup, type Schedulable } from "./scheduler.js";

export interface CubicOptions {
  /** Level at the start; default 0. */
  readonly initSl?: PerGroup<number>;
  /** Epoch at which the level begins to rise; default 0. */
  readonly initT?: PerGroup<number>;
  /** Epochs in a delta; default 10. The level changes in each of them. */
  readonly deltaT?: PerGroup<number>;
  /** Deltas until the level is reached; default 100. */
  readonly totalT?: PerGroup<number>;
  /** Before initT: level 0 instead of initSl. Default false. */
  readonly initiallyZero?: boolean;
}

/**
 * torch.ao.pruning's CubicSL, after Zhu and Gupta 2017 (arXiv 1710.01878): with s_f the level at the start of the schedule and s_0 = initSl,
 * level(t) = s_f + (s_0 - s_f) · (1 - (t - initT) / (deltaT · totalT))³, between s_0 and s_f.
 */
export class CubicSL extends BaseScheduler {
  readonly #initSl: readonly number[];
  readonly #initT: readonly number[];
  readonly #length: readonly number[];
  readonly #initiallyZero: boolean;

  /** @throws NonzeroError "invalid-argument" for a list that has not one entry for each weight. */
  constructor(
    sparsifier: Schedulable,
    { initSl = 0, initT = 0, deltaT = 10, totalT = 100, initiallyZero = false }: CubicOptions = {},
  ) {
    super(sparsifier);
    const groups = this.baseSl.length;
    this.#initSl = perGroup(initSl, groups, "initSl");
    this.#initT = perGroup(initT, groups, "initT");
    const deltas = perGroup(totalT, groups, "totalT");
    this.#length = perGroup(deltaT, groups, "deltaT").map((epochs, i) => epochs * deltas[i]!);
    this.#initiallyZero = initiallyZero;
    this.step();
  }

  protected override level(base: number, group: number): number {
    const [initSl, initT] = [this.#initSl[group]!, this.#initT[group]!];
    if (this.lastEpoch < initT) return this.#initiallyZero ? 0 : initSl;
    const level = base + (initSl - base) * (1 - (this.lastEpoch - initT) / this.#length[group]!) ** 3;
    return Math.min(Math.max(level, Math.min(initSl, base)), Math.max(initSl, base));
  }
}
