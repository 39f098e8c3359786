import { existsSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Server } from "../../examples/web/server.js";
import { writeModel } from "../../src/formats/onnx/index.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { modelOf } from "../support/small-models.js";
import { startChromium } from "./chromium.js";
import type { NonzeroTest, Outcome } from "./page.js";
import { ENCODER, startSite } from "./site.js";

declare const nonzeroTest: NonzeroTest; // in the page

const [plain, gpu] = [await startChromium(), await startChromium({ gpu: true })];

type Device = "wasm" | "webgpu" | "auto";

/** float32 sums of up to 1152 products in another order, over six layers; the bound of every comparison of this model. */
const TOLERANCE = 1e-3;

let site: Server;
beforeAll(async () => {
  if (typeof plain !== "string" && existsSync(ENCODER)) site = await startSite();
});
afterAll(async () => {
  for (const browser of [plain, gpu]) if (typeof browser !== "string") await browser.close();
  await site?.close();
});

async function open(browser: typeof plain): Promise<Page> {
  if (typeof browser === "string") throw new Error(browser);
  const page = await browser.context.newPage();
  await page.goto(`${site.origin}/isolated`);
  return page;
}

const run = (page: Page, model: string, device: Device): Promise<Outcome> =>
  page.evaluate(([url, on]) => nonzeroTest.runNonzero(url, "/word", { device: on }, 2), [
    `/${model}.onnx`,
    device,
  ] as const);

function difference(actual: readonly number[], expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!))) / largest;
}

const missing = existsSync(ENCODER) ? "" : ", needs @usefulsensors/moonshine-js";
const named = (browser: typeof plain): string => (typeof browser === "string" ? browser : browser.version) + missing;

describe.skipIf(typeof gpu === "string" || missing !== "")(`WebGPU on SwiftShader in a page (${named(gpu)})`, () => {
  const report: Record<string, unknown> = {};
  afterAll(() => console.log(JSON.stringify(report)));

  test.each([
    ["dense", "dense"],
    ["sparse", "explicit"],
  ])("computes what WebAssembly and onnxruntime-web compute: %s", async (model, explicit) => {
    const page = await open(gpu);
    const wasm = await run(page, model, "wasm");
    const webgpu = await run(page, model, "auto");
    const peer = await page.evaluate(([url, ours]) => nonzeroTest.compareOnnxRuntime(url, "/word", ours, 1), [
      `/${explicit}.onnx`,
      webgpu.output,
    ] as const);
    await page.close();
    expect(peer.difference).toBeLessThanOrEqual(TOLERANCE);
    report[model] = { wasmMs: wasm.runMs, webgpuMs: webgpu.runMs, firstMs: webgpu.firstMs };
    expect(webgpu).toMatchObject({ device: "webgpu", fallback: null });
    expect(difference(webgpu.output, wasm.output)).toBeLessThanOrEqual(TOLERANCE);
  });

  test("a loop's cache stays on the GPU, and feeds that do not do are refused by name", async () => {
    const b = new GraphBuilder();
    const past = b.input("past", "float32", ["n", 4]);
    const present = b.add("Concat", [past, b.input("x", "float32", [1, 4])], { axis: 0 });
    const y = b.add("ReduceSum", [present, b.constant(Tensor.from("int64", [1], [0]))], { keepdims: 0 });
    present.type = { dtype: "float32", shape: ["m", 4] };
    y.type = { dtype: "float32", shape: [4] };
    b.output(present, "present");
    b.output(y, "y");
    const page = await open(gpu);
    const model = [...writeModel(modelOf(b.build()))];
    const { sums, locations, cache, feeds } = await page.evaluate(
      ([bytes, steps]) => nonzeroTest.loopOnGpu(bytes, steps),
      [model, 3] as const,
    );
    await page.close();
    expect(sums).toEqual([1, 2, 3].map((times) => [1, 2, 3, 4].map((value) => times * value)));
    expect(new Set(locations)).toEqual(new Set(["gpu-buffer"]));
    expect(cache).toEqual([0, 0, 0, 0, ...[1, 2, 3].flatMap(() => [1, 2, 3, 4])]);
    expect(feeds).toEqual({
      good: "ran",
      foreign: expect.stringMatching(/'past'.*another GPUDevice/),
      small: expect.stringMatching(/'past'.*32 bytes.*16/),
      destroyed: expect.stringMatching(/'past'.*was destroyed/),
    });
  });
});

describe.skipIf(typeof plain === "string" || missing !== "")(`A page without a GPU (${named(plain)})`, () => {
  test("auto falls back to WebAssembly and says why", async () => {
    const page = await open(plain);
    const wasm = await run(page, "dense", "wasm");
    const auto = await run(page, "dense", "auto");
    expect(auto).toMatchObject({ device: "wasm", threads: wasm.threads, fallback: "WebGPU found no adapter" });
    expect(auto.output).toEqual(wasm.output);
    await page.close();
  });

  test("webgpu is refused", async () => {
    const page = await open(plain);
    await expect(run(page, "dense", "webgpu")).rejects.toThrow(/WebGPU found no adapter/);
    await page.close();
  });
});
