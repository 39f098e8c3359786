import { ownVersions, thisMachine } from "../../src/cli/bench/machine.js";
import { peakGflops } from "../../src/cli/bench/peak.js";
import { installNode } from "../../src/runtime/node.js";
import { type Bench, peersOf } from "./bench.js";
import { type Case, writeRun } from "./results.js";
import { SECTIONS } from "./sections/index.js";

/**
 * One section on one number of threads, in a process of its own because onnxruntime-web fixes its threads with its first session:
 * `tsx bench/talk/section.ts NAME THREADS SECONDS quick|full FOLDER`. Each case is in the file before the next starts; SIGINT ends the timing and
 * keeps what is there.
 */
const [name, threadsText, secondsText, size, folder] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const section = SECTIONS.find((one) => one.name === name);
if (section === undefined) throw new Error(`no section '${name}'`);

installNode();
const stop = new AbortController();
process.on("SIGINT", () => stop.abort());

const threads = Number(threadsText);
const cases: Case[] = [];
const missing: string[] = [];
const versions: Record<string, string> = { ...ownVersions() };
const say = (line: string): void => console.error(line);
const peak = Number(peakGflops(threads).toPrecision(5));

const save = (complete: boolean): string => {
  const date = new Date().toISOString().slice(0, 10);
  const run = { date, threads, seconds: Number(secondsText), machine: thisMachine(), peak_gflops: peak, versions };
  return writeRun(name, { ...run, complete, cases }, folder);
};

const bench: Bench = {
  threads,
  seconds: Number(secondsText),
  quick: size === "quick",
  signal: stop.signal,
  say,
  peak,
  missing,
  versions,
  peers: peersOf({ threads, missing, versions, say }),
  add(measured) {
    const before = cases.at(-1)?.title === measured.title ? cases.pop() : undefined;
    cases.push(measured);
    for (const row of measured.rows.slice(before?.rows.length)) {
      const ratios = Object.entries(row.against).map(([other, [, ratio]]) => `${ratio.toFixed(2)}× ${other}`);
      const flag = row.above_ideal ? `  above the ideal of ${row.ideal}` : "";
      say(`  ${row.name.padEnd(28)} ${row.median_ms.toPrecision(4).padStart(8)} ms  ${ratios.join(", ")}${flag}`);
    }
    save(false);
  },
};

await section.run(bench);
if (cases.length > 0) say(`wrote ${save(!stop.signal.aborted)}`);
process.exit(stop.signal.aborted ? 130 : 0);
