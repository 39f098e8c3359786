import { readFileSync } from "node:fs";
import type { ModelsReport } from "../src/cli/bench/models.js";
import type { Report, Result } from "../src/cli/bench/result.js";

export const RESULTS = new URL("results/spine.json", import.meta.url);

/** One process's figures. */
export type Run =
  | { readonly kind: "matmul"; readonly m: number; readonly k: number; readonly n: number; readonly report: Report }
  | { readonly kind: "encoder"; readonly title: string; readonly seconds: number; readonly report: ModelsReport };

/** All figures of one evening; machine and versions are each report's. */
export interface Spine {
  readonly date: string;
  readonly runs: readonly Run[];
}

export const readResults = (): Spine => JSON.parse(readFileSync(RESULTS, "utf8")) as Spine;

type Ratio = "dense_ratio" | "ort_web_ratio";
type Goals = Readonly<Partial<Record<Ratio, number>>>;

/** What we hold ourselves to: ratios of at least so much. */
export const GOALS: Readonly<Record<Run["kind"], Readonly<Record<string, Goals>>>> = {
  matmul: {
    dense: { ort_web_ratio: 1.25 },
    "15%": { dense_ratio: 1 },
    "2:4": { dense_ratio: 1.85, ort_web_ratio: 2.3 },
    "50%": { dense_ratio: 1.85, ort_web_ratio: 2.3 },
    "75%": { dense_ratio: 3.6 },
    "90%": { dense_ratio: 8 },
    "95%": { dense_ratio: 15 },
    "block:8x8@90%": { dense_ratio: 8.5 },
    "block:16x16@90%": { dense_ratio: 8.5 },
    "block:64x64@90%": { dense_ratio: 8.5 },
    "block:16x16@80%": { dense_ratio: 4.4 },
  },
  encoder: { "2:4": { ort_web_ratio: 1.8 } },
};

export const titleOf = (run: Run): string =>
  run.kind === "matmul" ? `${run.m}×${run.k} by ${run.k}×${run.n}` : run.title;

/** The goals that a run misses, in words. */
export function missedGoals(run: Run): string[] {
  return run.report.results.flatMap((result: Result) => {
    const goals = Object.entries(GOALS[run.kind][result.pattern] ?? {}) as [Ratio, number][];
    return goals.flatMap(([field, least]) => {
      const ratio = result[field];
      if (ratio !== null && ratio >= least) return [];
      const against = field === "dense_ratio" ? "dense" : "onnxruntime-web";
      const threads = `${result.threads} thread${result.threads === 1 ? "" : "s"}`;
      return [`${titleOf(run)}, ${threads}, ${result.pattern}: ${ratio ?? "no"} × ${against}, the goal is ${least}`];
    });
  });
}
