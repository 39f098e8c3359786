import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ModelsReport } from "../src/cli/bench/models.js";
import type { Report } from "../src/cli/bench/result.js";
import { replaceFile } from "../src/cli/write-file.js";
import { moonshineEncoder } from "./moonshine.js";
import { missedGoals, RESULTS, type Run, type Spine } from "./results.js";

/**
 * Measures what docs/benchmarks.md shows, each product and thread count in a process of its own, and writes bench/results/spine.json.
 * `tsx bench/run.ts [SECONDS]`: seconds for each contestant, default 3. Figures come from the command line that users have.
 */
const SECONDS = process.argv[2] ?? "3";
const SHAPES = [
  { m: 3072, k: 768, n: 256 },
  { m: 1024, k: 4096, n: 256 },
];
const PATTERNS = [
  "dense",
  "15%",
  "50%",
  "2:4",
  "75%",
  "90%",
  "95%",
  ...["8x8@90", "16x16@80", "16x16@90", "64x64@90"].map((b) => `block:${b}%`),
];
const THREADS = [1, 2];

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));

/** What `nonzero bench … --json` prints; its progress goes to our stderr. */
async function bench<R>(...args: string[]): Promise<R> {
  console.error(`\nnonzero bench ${args.map((arg) => basename(arg)).join(" ")}`);
  const all = ["--import", "tsx", MAIN, "bench", ...args, "--seconds", SECONDS, "--json"];
  const child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`nonzero bench ended with ${code}; no results were written`);
  return JSON.parse(out) as R;
}

const runs: Run[] = [];
for (const { m, k, n } of SHAPES) {
  const shape = ["--m", `${m}`, "--k", `${k}`, "--n", `${n}`];
  for (const threads of THREADS) {
    const report = await bench<Report>("matmul", ...shape, "--threads", `${threads}`, "--pattern", ...PATTERNS);
    runs.push({ kind: "matmul", m, k, n, report });
  }
}

const folder = mkdtempSync(join(tmpdir(), "nonzero-bench-"));
try {
  const { dense, sparse, input, seconds } = await moonshineEncoder(folder);
  for (const threads of THREADS) {
    const report = await bench<ModelsReport>(
      dense,
      sparse,
      "--input",
      `input_values=${input}`,
      "--threads",
      `${threads}`,
    );
    const named = <T extends { model: string }>(row: T): T => ({ ...row, model: basename(row.model) });
    runs.push({
      kind: "encoder",
      title: "Moonshine tiny, encoder",
      seconds,
      report: { ...report, results: report.results.map(named), rivals: report.rivals.map(named) },
    });
  }
} finally {
  rmSync(folder, { recursive: true });
}

const spine: Spine = { date: new Date().toISOString().slice(0, 10), runs };
mkdirSync(new URL(".", RESULTS), { recursive: true });
const oneLineLists = JSON.stringify(spine, null, 1).replace(/\[[\s\d.,e-]*\]/g, (list) => list.replace(/\s+/g, ""));
replaceFile(fileURLToPath(RESULTS), `${oneLineLists}\n`);
console.error(`\nwrote ${fileURLToPath(RESULTS)}; draw the tables and charts with npm run bench:draw`);
for (const line of runs.flatMap(missedGoals)) console.error(`missed: ${line}`);
