import { median, pairedRatio, quantile } from "../../src/cli/bench/statistics.js";

/** Who computes, where, and with which weights. */
export interface Contestant {
  readonly runtime: "nonzero" | "onnxruntime-web";
  readonly device: "wasm" | "webgpu";
  readonly pattern: string;
}

/** Largest difference from what onnxruntime-web computes there with the same weights, relative to its largest magnitude. */
export type Differences = Readonly<Partial<Record<Contestant["device"], number>>>;

export interface Result extends Contestant {
  readonly load_ms: number;
  /** The first run: the plan, the shaders' compilation, the run. */
  readonly first_ms: number;
  /** Each round's run, in the order of the rounds. */
  readonly samples_ms: readonly number[];
  readonly from_onnxruntime_web: Differences;
}

/** The GPU by the names that the browser gives it. */
export interface Adapter {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** A processor plays GPU. */
  readonly fallback: boolean;
}

/** What a page measured. */
export interface Report {
  readonly date: string;
  readonly model: string;
  readonly adapter: Adapter | null;
  readonly user_agent: string;
  readonly cross_origin_isolated: boolean;
  /** Of the WebAssembly contestants. */
  readonly threads: number;
  readonly versions: Readonly<Record<string, string>>;
  /** Length of the input. */
  readonly seconds: number;
  readonly rounds: number;
  readonly results: readonly Result[];
}

/** A line of the table: medians, and how many times as fast as others on the same device. */
export interface Line {
  readonly name: string;
  readonly medianMs: number;
  readonly quartilesMs: readonly [number, number];
  readonly firstMs: number;
  /** Against Nonzero with dense weights; null for that itself and for others. */
  readonly overDense: number | null;
  /** Against onnxruntime-web with dense weights; null for that itself. */
  readonly overOnnxRuntime: number | null;
  readonly difference: number | null;
}

export const nameOf = ({ runtime, device, pattern }: Contestant): string =>
  `${runtime === "nonzero" ? "Nonzero" : runtime}, ${device}, ${pattern}`;

/** The report's table, in the order of its results. Ratios are medians over the rounds, as everyone ran in turn. */
export function linesOf({ results }: Report): Line[] {
  const denseOf = (runtime: Contestant["runtime"], device: Contestant["device"]) =>
    results.find((other) => other.runtime === runtime && other.device === device && other.pattern === "dense");
  const ratio = (ours: Result, theirs: Result | undefined): number | null =>
    theirs === undefined || theirs === ours ? null : pairedRatio(ours.samples_ms, theirs.samples_ms);
  return results.map((result) => {
    const { runtime, device, samples_ms, first_ms } = result;
    const differences = Object.values(result.from_onnxruntime_web);
    return {
      name: nameOf(result),
      medianMs: median(samples_ms),
      quartilesMs: [quantile(samples_ms, 0.25), quantile(samples_ms, 0.75)],
      firstMs: first_ms,
      overDense: runtime === "nonzero" ? ratio(result, denseOf("nonzero", device)) : null,
      overOnnxRuntime: ratio(result, denseOf("onnxruntime-web", device)),
      difference: differences.length === 0 ? null : Math.max(...differences),
    };
  });
}

const ms = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const times = (value: number | null): string => (value === null ? "" : `${value.toFixed(2)} ×`);

export const HEAD = ["", "median, ms", "quartiles, ms", "first run, ms", "× dense", "× onnxruntime-web", "difference"];

/** A line's cells, under `HEAD`. */
export const cellsOf = (line: Line): string[] => [
  line.name,
  ms(line.medianMs),
  line.quartilesMs.map(ms).join(" to "),
  ms(line.firstMs),
  times(line.overDense),
  times(line.overOnnxRuntime),
  line.difference === null ? "" : line.difference.toExponential(1),
];
