import type { Machine } from "../../../src/cli/bench/machine.js";
import { markdown, times } from "../../markdown.js";

/** What bench/sparsify.ts writes, as far as it is drawn. */
export interface Sparsify {
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly results: readonly {
    readonly rows: number;
    readonly cols: number;
    readonly dtype: string;
    readonly data: string;
    readonly what: string;
    readonly threads: number;
    readonly median_ms: number;
    readonly copies_of_x: number;
  }[];
}

const ALGORITHMS: readonly string[] = ["largest_values_greedy", "largest_abs_values_greedy", "best"];

/** Both-ways sparsification against a plain copy of the same bytes. */
export function drawSparsify({ date, machine, versions, results }: Sparsify): string {
  const copies = new Set(["memory.copy", "vectors"]);
  const named = (what: string): number => ALGORITHMS.indexOf(what) + 1 || ALGORITHMS.length + 1;
  const rows = results.filter(({ what }) => !copies.has(what)).toSorted((a, b) => named(a.what) - named(b.what));
  const cases = [...new Set(rows.map((r) => [r.what, r.rows, r.cols, r.dtype, r.data].join()))];
  const threads = [...new Set(results.map((r) => r.threads))];
  const lines = cases.map((key) => {
    const same = rows.filter((r) => [r.what, r.rows, r.cols, r.dtype, r.data].join() === key);
    const [{ what, rows: height, cols, dtype, data }] = same as [(typeof rows)[number]];
    const cells = threads.map((count) => times(same.find((r) => r.threads === count)?.copies_of_x));
    return [`${height}×${cols}`, dtype, data, what, ...cells];
  });
  const head = [
    "x",
    "dtype",
    "values",
    "algorithm",
    ...threads.map((count) => `>copies of x, ${count} thread${count === 1 ? "" : "s"}`),
  ];
  return `## Sparsify both ways

Sparse training needs x and xᵀ in 2:4 at every step, so the talk's condition is \`sparsify + sparse_mm < dense_mm\`. The time of a
sparsification, both results packed, in plain copies of x (\`npm run bench:sparsify\`):

${markdown(head, lines)}

<sub>Measured on ${date}: ${machine.cpu}, ${machine.processors} processors; node ${versions.node}.</sub>`;
}
