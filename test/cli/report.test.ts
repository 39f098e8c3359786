import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeNpy } from "../../src/cli/npy.js";
import type { ReportData } from "../../src/cli/report/data.js";
import { maskPicture } from "../../src/cli/report/mask-picture.js";
import { readModelFile, writeModelFile } from "../../src/formats/onnx/node.js";
import { weightMatrix, weightsOf } from "../../src/prune/index.js";
import { startChromium } from "../browser/chromium.js";
import { cli } from "../support/cli.js";
import { noise, perceptron } from "../support/small-models.js";

const folder = mkdtempSync(join(tmpdir(), "nonzero-report-"));
const at = (...parts: string[]): string => join(folder, ...parts);
const dataOf = (file: string): ReportData => {
  const [, json] = /<script id="report" type="application\/json">(.*?)<\/script>/s.exec(readFileSync(file, "utf8"))!;
  return JSON.parse(json!);
};

beforeAll(async () => {
  await writeModelFile(at("model.onnx"), perceptron());
  mkdirSync(at("samples"));
  for (let i = 0; i < 3; i++) writeNpy(at("samples", `${i}.npy`), noise([8, 16], 10 + i));
});
afterAll(() => rmSync(folder, { recursive: true }));

const report = at("report.html");
const prune = ["sparsify", at("model.onnx"), "-o", at("pruned.onnx"), "-p", "2:4", "--report", report];

describe("the report of a pruning", () => {
  test("holds what was asked, each layer, its mask bit by bit, and the speed of a run", async () => {
    const { code } = await cli(...prune, "--method", "sparsegpt", "--calibrate", at("samples"));
    expect(code).toBe(0);
    const data = dataOf(report);
    expect(Object.fromEntries(data.asked)).toMatchObject({ pattern: "2:4", method: "sparsegpt", order: "sequential" });
    expect(data).toMatchObject({ sparsity: 0.5, speed: { denseMs: expect.any(Number), ratio: expect.any(Number) } });
    const weights = weightsOf(readModelFile(at("pruned.onnx")));
    expect(data.layers.map(({ name }) => name)).toEqual(weights.map(({ name }) => name));
    for (const [i, { mask, error, sparsity }] of data.layers.entries()) {
      const { rows, cols, data: values } = weightMatrix(weights[i]!);
      expect(mask).toMatchObject({ kind: "bits", rows, cols });
      const bits = Buffer.from(mask.base64, "base64");
      expect(values.every((value, at) => (value !== 0) === (((bits[at >> 3]! >> (at & 7)) & 1) === 1))).toBe(true);
      expect(error).toBeGreaterThan(0);
      expect(sparsity).toBe(0.5);
    }
  });

  test("is written whole or not at all, and without samples tells no speed", async () => {
    const { code } = await cli(...prune);
    expect(code).toBe(0);
    expect(dataOf(report)).toMatchObject({ speed: null, layers: [{ error: null }, { error: null }] });
    const failed = await cli(...prune.slice(0, -1), at("nowhere", "report.html"));
    expect(failed.code).not.toBe(0);
    expect(failed.stderr).toContain("nowhere");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("draws masks beyond its room in cells", () => {
    const mask = { rows: 600, cols: 3, data: Uint8Array.from({ length: 1800 }, (_, i) => (i < 900 ? 1 : 0)) };
    expect(maskPicture(mask, 225).kind).toBe("bits");
    const picture = maskPicture(mask, 224);
    expect(picture).toMatchObject({ kind: "shares", rows: 256, cols: 3 });
    const shares = Buffer.from(picture.base64, "base64");
    expect([shares[0], shares[3 * 127], shares[3 * 129], shares.at(-1)]).toEqual([255, 255, 0, 0]);
  });
});

const browser = await startChromium();
afterAll(async () => {
  if (typeof browser !== "string") await browser.close();
});

describe.skipIf(typeof browser === "string")(`in Chromium ${typeof browser === "string" ? `(${browser})` : ""}`, () => {
  test("the page draws a layer's mask and comes nearer", async () => {
    await cli(...prune);
    if (typeof browser === "string") throw new Error(browser);
    const page = await browser.context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(pathToFileURL(report).href);
    const drawn = (): Promise<number> =>
      page.$eval("#mask", (canvas) => {
        const { width, height } = canvas as HTMLCanvasElement;
        const { data } = (canvas as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
        return new Set(new Uint32Array(data.buffer)).size;
      });
    const caption = (): Promise<string | null> => page.textContent("#caption");
    expect(await drawn()).toBeGreaterThan(1);
    expect(await caption()).toContain("32 outputs × 16 inputs; shown: rows 0 to 31, columns 0 to 15");
    await page.click("tr[data-layer='1'] button");
    expect(await caption()).toContain("8 outputs × 32 inputs");
    await page.click("#in");
    expect(await caption()).toMatch(/columns [1-9]/);
    await page.click("#whole");
    expect(await caption()).toContain("columns 0 to 31");
    expect(errors).toEqual([]);
  });
});
