import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Machine } from "../../src/cli/bench/machine.js";
import type { Timed } from "../../src/cli/bench/paired.js";
import { median, quantile } from "../../src/cli/bench/statistics.js";
import { replaceFile } from "../../src/cli/write-file.js";

export const RESULTS = fileURLToPath(new URL("../results", import.meta.url));

/** Another's time over this one's, round by round: above 1, this one is faster. First quartile, median, third quartile. */
export type Ratio = readonly [number, number, number];

/** One contestant's figures. */
export interface Row {
  /** Its name within the case. */
  readonly name: string;
  /** `nonzero`, or a peer's package. */
  readonly by: string;
  readonly threads: number;
  readonly pattern?: string;
  readonly layout?: string;
  /** Share of zeros in what is pruned. */
  readonly sparsity?: number;
  /** Bytes of the weights, or of the model file. */
  readonly bytes?: number;
  readonly median_ms: number;
  readonly quartiles_ms: readonly [number, number];
  readonly samples_ms: readonly number[];
  /** By the other's name. */
  readonly against: Readonly<Record<string, Ratio>>;
  /** What the work that is left out allows against own dense: 1 / density. A median above it is not to be believed before it is explained. */
  readonly ideal?: number;
  readonly above_ideal?: boolean;
  readonly kept_gflops?: number;
  /** Of what independent multiply-adds on registers make in the same process. */
  readonly share_of_peak?: number;
  /** Largest resident set of a process that does nothing but open the model and run it. */
  readonly peak_memory_mb?: number;
  /** Largest difference from the reference's output, as a share of that output's largest value. */
  readonly difference?: number;
}

/** Contestants that were timed in turn. */
export interface Case {
  readonly title: string;
  /** y [n, m] = x [n, k] · Wᵀ, where it is one product. */
  readonly shape?: { readonly m: number; readonly k: number; readonly n: number };
  /** Copies of the weights, in memory of their own, that a step goes through. */
  readonly layers?: number;
  /** Multiply-adds of one run with dense weights. */
  readonly multiply_adds?: number;
  readonly rows: readonly Row[];
  /** What could not run, and why. */
  readonly missing: readonly string[];
}

/** What one process measured. */
export interface Run {
  readonly date: string;
  readonly threads: number;
  readonly seconds: number;
  readonly machine: Machine;
  readonly peak_gflops: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly complete: boolean;
  readonly cases: readonly Case[];
}

/** One section's file: a run for each number of threads. */
export interface Results {
  readonly section: string;
  readonly runs: readonly Run[];
}

const round = (value: number): number => Number(value.toPrecision(5));

/** What timing gives of a contestant, `others` by the names that ratios get. */
export function timesOf(
  { samples }: Timed,
  others: Readonly<Record<string, Timed | undefined>>,
): Pick<Row, "median_ms" | "quartiles_ms" | "samples_ms" | "against"> {
  const against = Object.entries(others).flatMap(([name, other]): [string, Ratio][] => {
    if (other === undefined) return [];
    const ratios = samples.flatMap((ms, i) => (other.samples[i] === undefined ? [] : [other.samples[i] / ms]));
    return [[name, [quantile(ratios, 0.25), median(ratios), quantile(ratios, 0.75)].map(round) as unknown as Ratio]];
  });
  return {
    median_ms: round(median(samples)),
    quartiles_ms: [round(quantile(samples, 0.25)), round(quantile(samples, 0.75))],
    samples_ms: samples.map(round),
    against: Object.fromEntries(against),
  };
}

const fileOf = (folder: string, section: string): string => join(folder, `talk-${section}.json`);

/** What was measured of a section, or null. */
export function readResults(section: string, folder = RESULTS): Results | null {
  const file = fileOf(folder, section);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : null;
}

/** Writes a run into its section's file, in place of the one with as many threads. */
export function writeRun(section: string, run: Run, folder = RESULTS): string {
  const others = readResults(section, folder)?.runs.filter(({ threads }) => threads !== run.threads) ?? [];
  const runs = [...others, run].toSorted((a, b) => a.threads - b.threads);
  const file = fileOf(folder, section);
  mkdirSync(dirname(file), { recursive: true });
  replaceFile(file, `${oneLineLists({ section, runs } satisfies Results)}\n`);
  return file;
}

export const oneLineLists = (value: unknown): string =>
  JSON.stringify(value, null, 1).replace(/\[[\s\d.,e-]*\]/g, (list) => list.replace(/\s+/g, ""));
