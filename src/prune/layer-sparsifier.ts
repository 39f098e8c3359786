import { applyMask, type Matrix, type Pattern, parsePattern } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";
import type { LayerPruner, PrunedLayer } from "./layer-pruner.js";
import { BaseSparsifier, type MaskUpdate, type SparsifierGroup } from "./sparsifier.js";
import type { InputStatistics } from "./statistics/index.js";

/** A pattern, or its text, and the method's own options. */
export type LayerSparsifierOptions<Options extends object> = Options & { readonly pattern: Pattern | string };

/** What became of a weight in the last step. */
export type LayerReport = Pick<PrunedLayer, "error" | "notes">;

/**
 * A method of post-training pruning as a sparsifier: prepare(model), statistics for each weight (`calibrate`), step, squashMask.
 *
 * ```ts
 * const sparsifier = new LayerSparsifier(sparseGpt, { pattern: "2:4" });
 * sparsifier.prepare(model);
 * sparsifier.calibrate("fc1.weight", accumulator.statistics());
 * sparsifier.step();
 * const pruned = sparsifier.squashMask();
 * ```
 *
 * Each step starts from the weights as they came. Methods that need nothing need no calibration.
 */
export class LayerSparsifier<Options extends object> extends BaseSparsifier<LayerSparsifierOptions<Options>> {
  readonly method: LayerPruner<Options>;
  readonly #statistics = new Map<string, readonly InputStatistics[]>();
  readonly #reports = new Map<string, LayerReport>();

  constructor(method: LayerPruner<Options>, options: Partial<Options> & { readonly pattern: Pattern | string }) {
    super({ ...method.defaults, ...options });
    this.method = method;
  }

  /**
   * What a weight's inputs are like. A grouped convolution has one entry a group, for as many equal runs of its outputs; each run is then pruned
   * by itself, to the whole pattern.
   */
  calibrate(tensorFqn: string, statistics: InputStatistics | readonly InputStatistics[]): void {
    this.#statistics.set(tensorFqn, "channels" in statistics ? [statistics] : statistics);
  }

  /** Errors and notes of the last step, by weight. */
  get reports(): ReadonlyMap<string, LayerReport> {
    return this.#reports;
  }

  protected override check({ pattern }: LayerSparsifierOptions<Options>): void {
    if (typeof pattern === "string") parsePattern(pattern);
  }

  protected override updateMask({
    weight,
    original,
    options,
  }: SparsifierGroup<LayerSparsifierOptions<Options>>): MaskUpdate {
    const { pattern: given, ...own } = options;
    const pattern = typeof given === "string" ? parsePattern(given) : given;
    const statistics = this.#statistics.get(weight.name) ?? [null];
    const height = original.rows / statistics.length;
    if (!Number.isInteger(height))
      throw new NonzeroError("shape", `${statistics.length} groups of inputs for ${original.rows} outputs`);
    const parts = statistics.map((seen, i) =>
      this.method.prune(rowsOf(original, i * height, height), seen, pattern, own as unknown as Partial<Options>),
    );
    this.#reports.set(weight.name, reportOf(parts));
    const { rows, cols } = original;
    const mask = { rows, cols, data: new Uint8Array(rows * cols) };
    const mended = { rows, cols, data: new Float32Array(rows * cols) };
    parts.forEach((part, i) => {
      mask.data.set(part.mask.data, i * height * cols);
      mended.data.set(part.weight.data, i * height * cols);
    });
    const same = applyMask(original, mask).data.every((value, i) => value === mended.data[i]);
    return { mask, mended: same ? null : mended };
  }
}

const rowsOf = ({ cols, data }: Matrix, top: number, rows: number): Matrix => ({
  rows,
  cols,
  data: data.subarray(top * cols, (top + rows) * cols),
});

/** The mean of the groups' errors, and all notes, each once. */
function reportOf(parts: readonly PrunedLayer[]): LayerReport {
  const errors = parts.map(({ error }) => error).filter((error) => error !== null);
  return {
    error: errors.length === 0 ? null : errors.reduce((a, b) => a + b, 0) / errors.length,
    notes: [...new Set(parts.flatMap(({ notes }) => notes))],
  };
}
