import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { thisMachine } from "../../src/cli/bench/machine.js";
import { startChromium } from "../../test/browser/chromium.js";
import type { NonzeroBench, Options } from "./page.js";
import { cellsOf, HEAD, linesOf, type Report } from "./report.js";
import { startBenchSite } from "./site.js";

/**
 * Times Moonshine tiny's encoder on a spoken sentence in headless Chromium, Nonzero and onnxruntime-web in turn in one page: on
 * WebAssembly with threads and without, and on WebGPU, which a processor plays there (SwiftShader).
 *
 *     tsx bench/browser/run.ts [--rounds 10] [--device wasm|webgpu] [--json FILE]
 *     tsx bench/browser/run.ts --serve 8080     # the page alone, for a browser and a GPU of your own
 */
declare const nonzeroBench: NonzeroBench; // in the page

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    device: { type: "string" },
    json: { type: "string" },
    serve: { type: "string" },
  },
});

/** Each page's name and what runs in it; on the GPU that is none, less of it. */
const RUNS: readonly (readonly [string, Omit<Options, "rounds">])[] = [
  ["plain", { devices: ["wasm"], threads: 1, seconds: null }],
  ["isolated", { devices: ["wasm"], threads: Math.min(8, availableParallelism()), seconds: null }],
  ["isolated", { devices: ["webgpu"], threads: 1, seconds: 2 }],
];

async function measure(): Promise<void> {
  const browser = await startChromium({ gpu: true });
  if (typeof browser === "string") throw new Error(browser);
  const site = await startBenchSite();
  const reports: Report[] = [];
  try {
    for (const [name, run] of RUNS) {
      if (values.device !== undefined && !(run.devices as readonly string[]).includes(values.device)) continue;
      const page = await browser.context.newPage();
      page.setDefaultTimeout(0);
      page.on("console", (message) => console.error(message.text()));
      await page.goto(`${site.origin}/${name}`);
      const options = { rounds: Number(values.rounds), ...run };
      const report = await page.evaluate((all) => nonzeroBench.run(all), options);
      await page.close();
      reports.push(report);
      print(report);
    }
  } finally {
    await browser.close();
    await site.close();
  }
  if (values.json === undefined) return;
  const { relaxed_simd, threads, ...machine } = thisMachine(); // those two are Node's
  writeFileSync(values.json, `${JSON.stringify({ machine, browser: browser.version, reports }, null, 1)}\n`);
  console.log(`wrote ${values.json}`);
}

function print(report: Report): void {
  const { adapter, cross_origin_isolated, threads, rounds } = report;
  const where =
    adapter === null
      ? `WebAssembly, ${threads} thread${threads === 1 ? "" : "s"}, ${cross_origin_isolated ? "" : "not "}isolated`
      : `WebGPU, ${[adapter.vendor, adapter.architecture, adapter.description].filter((part) => part).join(", ")}`;
  const table = new Table({ head: HEAD, style: { head: [], border: [], compact: true } });
  table.push(...linesOf(report).map(cellsOf));
  console.log(`\n${report.model}, ${report.seconds.toFixed(1)} s of speech; ${where}; ${rounds} rounds\n${table}`);
}

if (values.serve === undefined) {
  await measure();
} else {
  const { origin } = await startBenchSite(Number(values.serve));
  console.log(`${origin}/isolated (Ctrl-C ends it)`);
}
