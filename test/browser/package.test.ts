import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build as esbuild } from "esbuild";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ISOLATED, type Server, serve } from "../../examples/web/server.js";
import { writeModel } from "../../src/formats/onnx/index.js";
import { Runner } from "../../src/index.js";
import { applySparse } from "../../src/prune/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { perceptron } from "../support/small-models.js";
import { type Browser, startChromium } from "./chromium.js";

/*
 * The package as users get it (its package.json, its modules one by one), in a page without a bundler and in one that Vite built.
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MODULES = join(ROOT, "node_modules");

const SIZE = 16;
const FED = Float32Array.from({ length: 3 * SIZE }, (_, i) => Math.sin(i));

/** A user's own module: a session from a URL, and a model pruned in the page. */
const APP = `
import { InferenceSession, Runner, Tensor } from "nonzero";
import { readModel } from "nonzero/onnx";
import { applySparse } from "nonzero/prune";

const fed = new Float32Array(${JSON.stringify([...FED])});
globalThis.answer = (async () => {
  const session = await InferenceSession.create("/model.onnx");
  const { y } = await session.run({ x: new Tensor("float32", fed, [3, ${SIZE}]) });
  const bytes = new Uint8Array(await (await fetch("/model.onnx")).arrayBuffer());
  const { weights } = await applySparse(readModel(bytes), { pattern: "2:4" });
  return { y: [...y.data], layouts: weights.map(({ layout }) => layout) };
})();
`;

/** Where a page without a bundler finds what the modules name. */
const IMPORTS = {
  nonzero: "/nonzero/dist/index.js",
  "nonzero/onnx": "/nonzero/dist/formats/onnx/index.js",
  "nonzero/prune": "/nonzero/dist/prune/index.js",
  "onnxruntime-common": "/modules/onnxruntime-common/dist/esm/index.js",
  "@bufbuild/protobuf": "/modules/@bufbuild/protobuf/dist/esm/index.js",
  "@bufbuild/protobuf/codegenv2": "/modules/@bufbuild/protobuf/dist/esm/codegenv2/index.js",
  "@bufbuild/protobuf/wire": "/modules/@bufbuild/protobuf/dist/esm/wire/index.js",
};

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(test|d)\.ts$/.test(name))
    .map((name) => join(folder, name));

/** The package's files, as `npm run build` lays them out, from today's sources. */
async function layOut(folder: string): Promise<void> {
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  const src = join(ROOT, "src");
  await esbuild({
    entryPoints: sourcesIn(src),
    outbase: src,
    outdir: join(folder, "dist"),
    format: "esm",
    target: "es2022",
  });
}

const browser = await startChromium();
const why = typeof browser === "string" ? browser : null;

describe.skipIf(why !== null)(`the package in a page (${why ?? (browser as Browser).version})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "nonzero-package-"));
  const site = join(folder, "site");
  let server: Server;

  beforeAll(async () => {
    await layOut(join(folder, "nonzero"));
    mkdirSync(join(site, "node_modules"), { recursive: true });
    symlinkSync(join(folder, "nonzero"), join(site, "node_modules/nonzero"));
    symlinkSync(MODULES, join(folder, "node_modules"));
    writeFileSync(join(site, "app.js"), APP);
    writeFileSync(join(site, "index.html"), `<!doctype html><script type="module" src="./app.js"></script>`);
    const built = join(folder, "built");
    await vite({ root: site, configFile: false, logLevel: "error", build: { outDir: built, emptyOutDir: true } });
    const importMap = `<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>`;
    server = await serve(
      {
        "/bundler-free": { text: `<!doctype html>${importMap}<script type="module">${APP}</script>` },
        "/vite": { file: join(built, "index.html") },
        "/assets/": { file: join(built, "assets/") },
        "/nonzero/": { file: join(folder, "nonzero/") },
        "/modules/": { file: `${MODULES}/` },
        "/": { file: `${folder}/` },
      },
      () => ISOLATED,
    );
    writeFileSync(join(folder, "model.onnx"), writeModel(perceptron()));
  });
  afterAll(async () => {
    await (browser as Browser).close();
    await server.close();
    rmSync(folder, { recursive: true });
  });

  test.each(["bundler-free", "vite"])("%s", async (name) => {
    const page = await (browser as Browser).context.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    await page.goto(`${server.origin}/${name}`);
    expect(said).toEqual([]);
    const { y, layouts } = await page.evaluate<{ y: number[]; layouts: string[] }>("answer");
    const { y: wanted } = new Runner(perceptron(), { device: "reference" }).run({
      x: new Tensor("float32", [3, SIZE], FED),
    });
    const bound = 32 * 16 * 2 ** -24; // rounding, over both reductions
    y.forEach((value, i) => expect(Math.abs(value - wanted!.numbers()[i]!)).toBeLessThanOrEqual(bound));
    expect(y.length).toBe(wanted!.size);
    const { weights } = await applySparse(perceptron(), { pattern: "2:4" });
    expect(layouts).toEqual(weights.map(({ layout }) => layout));
    await page.close();
  });
});
