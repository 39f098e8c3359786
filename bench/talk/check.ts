import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ownVersions, thisMachine } from "../../src/cli/bench/machine.js";
import { peakGflops } from "../../src/cli/bench/peak.js";
import { replaceFile } from "../../src/cli/write-file.js";
import { installNode } from "../../src/runtime/node.js";
import { type Bench, peersOf } from "./bench.js";
import type { PeerName } from "./peers/index.js";
import { DENSE, timeLinear } from "./products.js";
import { type Case, oneLineLists, type Ratio, RESULTS } from "./results.js";

/*
 * Whether the kernels are as fast as they were: a few products, their ratios to own dense and to onnxruntime-web compared with those kept in
 * bench/results/check.json. A ratio whose third quartile is below the kept median less the margin is slower: exit code 1.
 *
 *     npm run bench:check                     about a minute
 *     npm run bench:check -- --update         keeps what is measured now
 */
const { values } = parseArgs({
  options: {
    threads: { type: "string", default: `${availableParallelism()}` },
    margin: { type: "string", default: "10" },
    update: { type: "boolean", default: false },
  },
});
const margin = Number(values.margin) / 100;
const threads = Number(values.threads);
if (!(margin > 0 && margin < 1) || !Number.isInteger(threads) || threads < 1) {
  console.error("npm run bench:check -- [--threads N] [--margin PERCENT] [--update]");
  process.exit(2);
}

const OTHERS: readonly PeerName[] = ["onnxruntime-web"];
const SECONDS = 0.7;
const PATTERNS = ["50%", "90%", "2:4", "4:2:4", "block:16x16@90%"];
const SHAPES = [
  { m: 3072, k: 768, n: 197 },
  { m: 1024, k: 4096, n: 256 },
  { m: 4096, k: 1024, n: 1 },
];

/** What is compared, by product, then weighting, then other. */
type Kept = Record<string, Record<string, Record<string, Ratio>>>;
interface Checked {
  readonly date: string;
  readonly machine: ReturnType<typeof thisMachine>;
  readonly versions: Readonly<Record<string, string>>;
  /** By the number of threads. */
  readonly runs: Readonly<Record<string, Kept>>;
}

const FILE = join(RESULTS, "check.json");
const kept = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, "utf8")) as Checked) : null;

installNode();
const stop = new AbortController();
process.on("SIGINT", () => stop.abort());
const versions: Record<string, string> = { ...ownVersions() };
const cases: Case[] = [];
const say = (line: string): void => console.error(line);
const bench: Bench = {
  threads,
  seconds: SECONDS,
  quick: false,
  signal: stop.signal,
  say: () => {},
  peak: peakGflops(threads),
  missing: [],
  versions,
  peers: peersOf({ threads, missing: [], versions, say }),
  add: (measured) => cases.push(measured),
};
for (const shape of SHAPES) {
  const title = `${shape.m}×${shape.k}, ${shape.n} token${shape.n === 1 ? "" : "s"}`;
  say(title);
  const weightings = PATTERNS.map((pattern) => ({ name: pattern, pattern }));
  const measured = await timeLinear(bench, { title, ...shape, weightings, peers: OTHERS });
  if (measured === null) break;
  bench.add(measured);
}
if (stop.signal.aborted) process.exit(130);

const now: Kept = {};
for (const { title, rows } of cases) {
  now[title] = {};
  for (const { name, by, against } of rows) {
    if (by !== "nonzero") continue;
    const ratios = [DENSE, ...OTHERS].filter((other) => other !== name && against[other] !== undefined);
    now[title][name] = Object.fromEntries(ratios.map((other) => [other, against[other]!]));
  }
}

const before = kept?.runs[values.threads];
let slower = 0;
for (const [title, rows] of Object.entries(now)) {
  for (const [name, ratios] of Object.entries(rows)) {
    const cells = Object.entries(ratios).map(([other, [, ratio, high]]) => {
      const was = before?.[title]?.[name]?.[other]?.[1];
      const text = `${ratio.toFixed(2)}× ${other}`;
      if (was === undefined) return text;
      const bad = high < was * (1 - margin);
      if (bad) slower++;
      return `${text} (was ${was.toFixed(2)}×${bad ? ", SLOWER" : ""})`;
    });
    console.log(`${title.padEnd(24)} ${name.padEnd(18)} ${cells.join(", ")}`);
  }
}
if (values.update) {
  const runs = { ...kept?.runs, [values.threads]: now };
  const date = new Date().toISOString().slice(0, 10);
  replaceFile(FILE, `${oneLineLists({ date, machine: thisMachine(), versions, runs } satisfies Checked)}\n`);
  console.log(`kept in ${FILE}`);
} else if (before === undefined) {
  console.log(`nothing is kept for ${values.threads} threads: keep these with --update`);
} else {
  const verdict = slower === 0 ? "as fast as kept" : `${slower} slower than kept`;
  console.log(`${verdict}; the margin is ${values.margin} %`);
}
process.exit(slower > 0 && !values.update ? 1 : 0);
