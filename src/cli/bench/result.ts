import { deviceText, type RunDevice } from "../device.js";
import { type Column, milliseconds, percent, table } from "../output.js";
import type { Machine } from "./machine.js";
import type { RivalName } from "./onnxruntime.js";
import type { Timed } from "./paired.js";
import { median, pairedRatio, quantile } from "./statistics.js";

/** Times of one contestant of Nonzero's. Ratios: the other's time over ours, above 1 where ours is faster; null where there is nothing to compare with. */
export interface Result {
  readonly pattern: string;
  readonly layout: string;
  readonly device: RunDevice;
  readonly threads: number;
  /** How kept values are stored. */
  readonly dtype: string;
  readonly median_ms: number;
  readonly samples_ms: readonly number[];
  /** Against Nonzero on the same device with every weight dense. */
  readonly dense_ratio: number | null;
  readonly ort_web_ratio: number | null;
  readonly ort_node_ratio: number | null;
  /** 10⁹ operations a second on kept weights (a multiply-add is two), at the median. */
  readonly kept_gflops: number | null;
  /** That, over what independent multiply-adds on WebAssembly's registers make on as many threads; null on a GPU. */
  readonly share_of_peak: number | null;
}

/** Times of a contestant that is not Nonzero's. */
export interface RivalResult {
  readonly name: RivalName;
  readonly threads: number;
  readonly median_ms: number;
  readonly samples_ms: readonly number[];
}

/** What `bench --json` prints. */
export interface Report<R extends Result = Result> {
  readonly machine: Machine & { readonly peak_gflops: number | null };
  readonly versions: Readonly<Record<string, string>>;
  readonly results: readonly R[];
  readonly rivals: readonly RivalResult[];
}

/** Five significant digits are more than any clock holds. */
const round = (value: number): number => Number(value.toPrecision(5));

/** The fields that a contestant's times and the others' give. */
export function timesOf(
  ours: Timed,
  others: Readonly<Record<"dense" | RivalName, Timed | undefined>>,
): Pick<Result, "median_ms" | "samples_ms" | "dense_ratio" | "ort_web_ratio" | "ort_node_ratio"> {
  const ratio = (other: Timed | undefined): number | null =>
    other === undefined ? null : round(pairedRatio(ours.samples, other.samples));
  return {
    median_ms: round(median(ours.samples)),
    samples_ms: ours.samples.map(round),
    dense_ratio: ratio(others.dense),
    ort_web_ratio: ratio(others["onnxruntime-web"]),
    ort_node_ratio: ratio(others["onnxruntime-node"]),
  };
}

export const rivalResult = (name: RivalName, threads: number, { samples }: Timed): RivalResult => ({
  name,
  threads,
  median_ms: round(median(samples)),
  samples_ms: samples.map(round),
});

/** `operations` on kept weights a run, at the median; `peak` is null where there is none to compare with. */
export function ratesOf(
  operations: number,
  { median_ms }: Pick<Result, "median_ms">,
  peak: number | null,
): Pick<Result, "kept_gflops" | "share_of_peak"> {
  const gflops = operations / median_ms / 1e6;
  return { kept_gflops: round(gflops), share_of_peak: peak === null ? null : round(gflops / peak) };
}

const times = (ratio: number | null): string => (ratio === null ? "-" : `${ratio.toFixed(2)}×`);
const right = (title: string): Column => ({ title, align: "right" });

/** The spread of some samples: first to third quartile. */
export const quartiles = (samples: readonly number[]): string =>
  `${milliseconds(quantile(samples, 0.25))} to ${milliseconds(quantile(samples, 0.75))}`;

/** A table for people; `labels` heads each result's first columns. */
export function reportTable<R extends Result>(
  report: Report<R>,
  labels: Readonly<Record<string, (result: R) => string>>,
): string {
  const names = Object.keys(labels);
  const columns: Column[] = [
    ...names.map((title) => ({ title })),
    { title: "dtype" },
    { title: "on" },
    right("median"),
    right("quartiles"),
    right("vs dense"),
    right("vs ort-web"),
    right("vs ort-node"),
    right("kept GFLOP/s"),
    right("of peak"),
  ];
  const rows = report.results.map((r) => [
    ...names.map((name) => labels[name]!(r)),
    r.dtype,
    deviceText(r.device, r.threads),
    milliseconds(r.median_ms),
    quartiles(r.samples_ms),
    times(r.dense_ratio),
    times(r.ort_web_ratio),
    times(r.ort_node_ratio),
    r.kept_gflops === null ? "-" : r.kept_gflops.toFixed(1),
    r.share_of_peak === null ? "-" : percent(r.share_of_peak, 0),
  ]);
  const others = report.rivals.map((r) => [
    r.name,
    ...names.slice(1).map(() => ""),
    "float32",
    `×${r.threads}`,
    milliseconds(r.median_ms),
    quartiles(r.samples_ms),
    ...Array.from({ length: 5 }, () => ""),
  ]);
  return table(columns, [...rows, ...others]);
}
