import { readFileSync } from "node:fs";
import { markdown, times } from "./markdown.js";

/** A line of bench/results/overhead.json. */
interface Line {
  readonly operators: string;
  readonly threads: number;
  readonly name: string;
  readonly microseconds_per_operator: number;
  readonly quartiles: readonly [number, number];
  /** Its time over that of a plain run of ours. */
  readonly ratio_to_run: number;
  readonly steps?: number;
}

const RESULTS = new URL("results/overhead.json", import.meta.url);

/** What a plan costs beside its work, as `npm run bench:overhead` measured it. */
export function overheadSection(): string {
  const { results } = JSON.parse(readFileSync(RESULTS, "utf8")) as { results: readonly Line[] };
  const rows = results.map(
    ({ operators, threads, name, microseconds_per_operator: each, quartiles, ratio_to_run, steps }) => [
      operators,
      `${threads}`,
      name,
      steps === undefined ? "" : `${steps}`,
      `${each.toFixed(2)} µs`,
      `${quartiles[0].toFixed(2)} to ${quartiles[1].toFixed(2)}`,
      times(ratio_to_run),
    ],
  );
  return `## What a plan costs

Chains of 200 operators on 16×16 elements, so that little but starting them is timed (\`npm run bench:overhead\`). Neighbours that work element by element become
one step. *A run* copies its input and output, *a bound run* does not.

${markdown(["operators, in turn", ">threads", "", ">steps", ">an operator takes", ">quartiles", ">of a run's time"], rows)}`;
}
