import type { Bench } from "../bench.js";

/** One part of the talk's tables. */
export interface Section {
  readonly name: string;
  /** What it measures, in a line for people. */
  readonly about: string;
  /** Left out unless asked for by name. */
  readonly long?: boolean;
  run(bench: Bench): Promise<void>;
}
