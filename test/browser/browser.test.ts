import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import type { Server } from "../../examples/web/server.js";
import { type Browser, startChromium } from "./chromium.js";
import type { NonzeroTest, Outcome } from "./page.js";
import { ENCODER, type PageName, startSite } from "./site.js";

declare const nonzeroTest: NonzeroTest; // in the page

const browser = await startChromium();
const why = typeof browser === "string" ? browser : existsSync(ENCODER) ? null : "needs @usefulsensors/moonshine-js";

/** float32 sums of up to 1152 products in another order, over six layers; the bound of every comparison with onnxruntime. */
const TOLERANCE = 1e-3;

describe.skipIf(why !== null)(
  `Moonshine tiny's encoder in a page (${why ?? (browser as Browser).version})`,
  async () => {
    if (why !== null) return;
    const { context, close, version } = browser as Browser;
    const site: Server = await startSite();
    const report: Record<string, unknown> = { browser: version };
    afterAll(async () => {
      await close();
      await site.close();
      console.log(JSON.stringify(report));
    });

    /** A page with those headers, and what it says on its console. */
    async function open(name: PageName): Promise<{ page: Page; said: string[] }> {
      const page = await context.newPage();
      const said: string[] = [];
      page.on("console", (message) => said.push(message.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      await page.goto(`${site.origin}/${name}`);
      return { page, said };
    }

    const runNonzero = (page: Page, model: string): Promise<Outcome> =>
      page.evaluate((url) => nonzeroTest.runNonzero(url, "/audio"), `/${model}.onnx`);

    /** The dense and the 2:4 model on Nonzero, then on onnxruntime-web in the same page. */
    async function compare(name: PageName) {
      const { page, said } = await open(name);
      const dense = await runNonzero(page, "dense");
      const sparse = await runNonzero(page, "sparse");
      const workers = page.workers().length;
      const { threads } = dense;
      const compareWith = (model: string, output: readonly number[]) =>
        page.evaluate(([url, ours, theirs]) => nonzeroTest.compareOnnxRuntime(url, "/audio", ours, theirs), [
          `/${model}.onnx`,
          output,
          threads,
        ] as const);
      const peers = {
        dense: await compareWith("dense", dense.output),
        sparse: await compareWith("explicit", sparse.output),
      };
      await page.close();
      const timesOf = ({ loadMs, firstMs, runMs }: Outcome) => ({ loadMs, firstMs, runMs });
      report[name] = { threads, workers, dense: timesOf(dense), "2:4": timesOf(sparse), "onnxruntime-web": peers };
      return { dense, sparse, workers, peers, said };
    }

    const outputs: Partial<Record<PageName, { dense: readonly number[]; sparse: readonly number[] }>> = {};

    test.each<[PageName, boolean]>([
      ["isolated", true],
      ["plain", false],
    ])("computes what onnxruntime-web computes in the same page: %s", async (name, isolated) => {
      const { dense, sparse, workers, peers, said } = await compare(name);
      outputs[name] = { dense: dense.output, sparse: sparse.output };
      expect(said).toEqual([]);
      expect(dense.isolated).toBe(isolated);
      if (isolated) {
        expect(dense.threads).toBe(Math.min(8, availableParallelism()));
        expect(workers).toBe(dense.threads - 1);
      } else {
        expect(dense.threads).toBe(1);
        expect(workers).toBe(0);
      }
      expect(dense.output.length).toBeGreaterThan(10_000);
      expect(peers.dense.difference).toBeLessThanOrEqual(TOLERANCE);
      expect(peers.sparse.difference).toBeLessThanOrEqual(TOLERANCE);
    });

    test("threads change nothing in the results", () => {
      expect(outputs.isolated!.dense).toEqual(outputs.plain!.dense);
      expect(outputs.isolated!.sparse).toEqual(outputs.plain!.sparse);
    });

    test("a policy with worker-src blob: lets workers start", async () => {
      const { page, said } = await open("blob-workers");
      const { threads, output } = await runNonzero(page, "dense");
      expect(page.workers().length).toBe(threads - 1);
      expect(said).toEqual([]);
      expect(output).toEqual(outputs.isolated!.dense);
      await page.close();
    });

    test("a policy that forbids workers from blobs: one thread, said once, the same results", async () => {
      const { page, said } = await open("no-blob-workers");
      const { output } = await runNonzero(page, "dense");
      expect((await runNonzero(page, "sparse")).output).toEqual(outputs.isolated!.sparse);
      expect(page.workers().length).toBe(0);
      const ours = said.filter((text) => text.startsWith("Nonzero"));
      expect(ours).toEqual([
        expect.stringMatching(/runs on one thread.*Content-Security-Policy must allow worker-src blob:/),
      ]);
      expect(output).toEqual(outputs.isolated!.dense);
      await page.close();
    });
  },
);
