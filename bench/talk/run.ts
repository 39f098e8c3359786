import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RESULTS } from "./results.js";
import { SECTIONS } from "./sections/index.js";

/*
 * The tables of the talk "GPU Sparsity", made on this machine: bench/results/talk-*.json, which `npm run bench:draw` draws into docs/talk.md.
 *
 *     npm run bench:talk                              all sections but the long ones, on all processors
 *     npm run bench:talk -- blocks sam --threads 1,2
 *     npm run bench:talk -- --quick                   a few small cases into a temporary folder, to see that everything runs
 *
 * A section that fails is told of and the others go on; Ctrl-C keeps what is measured.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: `${availableParallelism()}` },
    seconds: { type: "string" },
    quick: { type: "boolean", default: false },
    out: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

const usage = `npm run bench:talk -- [SECTION…] [--threads 1,2] [--seconds S] [--quick] [--out FOLDER]\n\n${SECTIONS.map(
  ({ name, about, long }) => `  ${name.padEnd(12)}${about}${long ? " (only when named)" : ""}`,
).join("\n")}`;
const unknown = positionals.filter((name) => !SECTIONS.some((section) => section.name === name));
const threads = values.threads.split(",").map(Number);
const seconds = Number(values.seconds ?? (values.quick ? 0.1 : 1));
const wrong = threads.some((count) => !Number.isInteger(count) || count < 1) || !(seconds > 0);
if (values.help || unknown.length > 0 || wrong) {
  console.error(unknown.length > 0 ? `no section '${unknown[0]}'\n\n${usage}` : usage);
  process.exit(values.help ? 0 : 1);
}

const chosen = SECTIONS.filter(({ name, long }) =>
  positionals.length > 0 ? positionals.includes(name) : !(long ?? false),
);
const folder = values.out ?? (values.quick ? mkdtempSync(join(tmpdir(), "nonzero-talk-")) : RESULTS);
const SECTION = fileURLToPath(new URL("section.ts", import.meta.url));
const LOADER = ["--import", "tsx", "--max-old-space-size=16384"];

let stopped = false;
process.on("SIGINT", () => {
  stopped = true; // the section's process hears of it too
});

const failed: string[] = [];
for (const { name, about } of chosen) {
  for (const count of threads) {
    if (stopped) break;
    console.error(`\n${name}, ${count} thread${count === 1 ? "" : "s"}: ${about}`);
    const args = [...LOADER, SECTION, name, `${count}`, `${seconds}`, values.quick ? "quick" : "full", folder];
    const start = performance.now();
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    console.error(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
    if (code !== 0 && !stopped) failed.push(`${name} on ${count} thread${count === 1 ? "" : "s"} ended with ${code}`);
  }
}
for (const line of failed) console.error(line);
console.error(
  values.quick ? `\nquick results are in ${folder}` : "\ndraw the tables and charts with npm run bench:draw",
);
process.exit(stopped ? 130 : failed.length > 0 ? 1 : 0);
