import { readFileSync } from "node:fs";
import type { Machine } from "../../src/backends/roofline/index.js";
import type { Machine as Host } from "../../src/cli/bench/machine.js";

export const RESULTS = new URL("../results/roofline.json", import.meta.url);

/** A kernel that the calibration did not see: what it took and what it was expected to take. */
export interface Checked {
  /** `linear` or `conv`. */
  readonly family: string;
  readonly pattern: string;
  readonly shape: string;
  readonly tokens: number;
  readonly multiply_adds: number;
  readonly bytes: number;
  readonly measured_ms: number;
  readonly predicted_ms: number;
  readonly limit_ms: number;
  readonly bound: string;
}

/** A model under one pattern, pruned for real. */
export interface PrunedModel {
  readonly pattern: string;
  readonly median_ms: number;
  readonly samples_ms: readonly number[];
  /** Against dense, the median over the rounds. */
  readonly speedup: number;
  readonly predicted_ms: number;
  readonly predicted_speedup: number;
}

export interface ModelStep {
  readonly kernel: string;
  readonly count: number;
  readonly median_ms: number;
  readonly predicted_ms: number;
  readonly limit_ms: number;
  readonly multiply_adds: number;
}

/** What `npm run bench:roofline` measures. */
export interface Roofline {
  readonly date: string;
  readonly host: Host;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly kernels: readonly Checked[];
  readonly encoder: {
    readonly seconds: number;
    readonly steps: readonly ModelStep[];
    readonly patterns: readonly PrunedModel[];
  };
}

export const readRoofline = (): Roofline => JSON.parse(readFileSync(RESULTS, "utf8")) as Roofline;
