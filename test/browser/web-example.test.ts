import { existsSync, readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Server } from "../../examples/web/server.js";
import { startWebExample } from "../../examples/web/site.js";
import { readModel, writeModel } from "../../src/formats/onnx/index.js";
import { SparseTensor } from "../../src/layouts/index.js";
import { perceptron } from "../support/small-models.js";
import { type Browser, startChromium } from "./chromium.js";
import { ENCODER } from "./site.js";

const browser = await startChromium();
const why = typeof browser === "string" ? browser : null;

describe.skipIf(why !== null)(`the example page (${why ?? (browser as Browser).version})`, () => {
  let site: Server;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    site = await startWebExample();
  });
  afterAll(async () => {
    await (browser as Browser).close();
    await site.close();
  });
  beforeEach(async () => {
    page = await (browser as Browser).context.newPage();
    problems.length = 0;
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(`${site.origin}/`);
  });
  afterEach(async () => {
    await page.close();
    expect(problems).toEqual([]);
  });

  const pick = (name: string, bytes: Uint8Array) =>
    page.setInputFiles("#file", { name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) });

  test("prunes a file to a pattern, times it and saves it", async () => {
    await pick("perceptron.onnx", writeModel(perceptron()));
    await page.fill("input[name='dim:n']", "5");
    await page.click("#chips >> text='75%'");
    await page.click("#start");
    await page.waitForSelector("#results:not([hidden])");
    expect(await page.innerText("#sparsity-note")).toBe("75.0 % zeros in 2 weights");
    expect(await page.innerText("#how")).toMatch(/^Medians of \d+ rounds in turn, \d+ threads?\.$/);
    expect(Number.parseFloat(await page.innerText("#latency-note"))).toBeGreaterThan(0);
    const [saved] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
    const { graph } = readModel(readFileSync(await saved.path()));
    const kept = [...graph.constants.values()].filter((constant) => constant instanceof SparseTensor);
    expect(kept.length).toBe(2);
  });

  test("says what is wrong with a pattern or a file", async () => {
    await pick("perceptron.onnx", writeModel(perceptron()));
    await page.waitForSelector("#start:not([disabled])");
    await page.fill("#pattern", "5:4");
    await page.click("#start");
    expect(await page.innerText("#error")).toMatch(/5:4/);
    await pick("broken.onnx", writeModel(perceptron()).subarray(0, 100));
    await expect.poll(() => page.innerText("#error"), { timeout: 10_000 }).toMatch(/not a valid ONNX model/);
    expect(await page.isEnabled("#start")).toBe(false);
    expect(await page.isVisible("#results")).toBe(false);
  });

  test.skipIf(!existsSync(ENCODER))("stops (needs @usefulsensors/moonshine-js)", async () => {
    await page.click("#sentence");
    await page.waitForSelector("#start:not([disabled])");
    await page.click("#start");
    await page.waitForFunction("document.getElementById('progress').value > 0.05");
    await page.click("#stop");
    expect(await page.isVisible("#working")).toBe(false);
    expect(await page.isEnabled("#start")).toBe(true);
    await expect.poll(() => page.workers().length, { timeout: 10_000 }).toBe(0);
    expect(await page.isVisible("#results")).toBe(false);
  });
});
