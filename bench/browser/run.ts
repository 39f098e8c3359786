import { readFileSync } from "node:fs";
import { thisMachine } from "../../src/cli/bench/machine.js";
import { median, pairedRatio } from "../../src/cli/bench/statistics.js";
import { startChromium } from "../../test/browser/chromium.js";
import type { NonzeroTest } from "../../test/browser/page.js";
import { startSite } from "../../test/browser/site.js";

/**
 * Times Moonshine tiny's encoder on a spoken sentence in headless Chromium: Nonzero dense and 2:4 and onnxruntime-web, in turn in one page,
 * with threads and without. Prints JSON. `tsx bench/browser/run.ts [ROUNDS]`, default 20.
 */
declare const nonzeroTest: NonzeroTest; // in the page

const ROUNDS = Number(process.argv[2] ?? 20);
const RIVAL = "onnxruntime-web, dense";

const browser = await startChromium();
if (typeof browser === "string") throw new Error(browser);
const site = await startSite();
const runs = [];
try {
  for (const [name, threads] of [
    ["plain", 1],
    ["isolated", 2],
  ] as const) {
    const page = await browser.context.newPage();
    await page.goto(`${site.origin}/${name}`);
    const times = await page.evaluate(([rounds, count]) => nonzeroTest.race("/sentence", rounds, count), [
      ROUNDS,
      threads,
    ] as const);
    await page.close();
    const results = Object.entries(times).map(([contestant, samples]) => ({
      contestant,
      medianMs: median(samples),
      faster: pairedRatio(samples, times[RIVAL]!),
      samples,
    }));
    runs.push({ page: name, threads, results });
  }
} finally {
  await browser.close();
  await site.close();
}
const versionOf = (manifest: string): string =>
  JSON.parse(readFileSync(new URL(manifest, import.meta.url), "utf8")).version;
const versions = {
  nonzero: versionOf("../../package.json"),
  "onnxruntime-web": versionOf("../../node_modules/onnxruntime-web/package.json"),
};
const { relaxed_simd, threads, ...machine } = thisMachine(); // those two are Node's
console.log(JSON.stringify({ machine, versions, browser: browser.version, runs }, null, 1));
