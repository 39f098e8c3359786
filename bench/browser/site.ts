import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ISOLATED, type Server, serve } from "../../examples/web/server.js";
import { readWav } from "../../src/cli/wav.js";
import { readModelFile, writeModelFile } from "../../src/formats/onnx/node.js";
import { applySparse, weightsOf } from "../../src/prune/index.js";
import type { Site } from "./page.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const ENCODER = path("../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/encoder_model.onnx");

/** What WebGPU runs; "dense" first. */
const PATTERNS = ["dense", "2:4", "16:2:4", "8:1:4", "block:32x32@80%"];

const versionOf = (manifest: string): string => JSON.parse(readFileSync(path(manifest), "utf8")).version;

/**
 * A site with the benchmark's page twice, `/isolated` and `/plain` (without the headers that let it share memory), Moonshine tiny's
 * encoder with its linear layers pruned to each pattern, and a spoken sentence.
 */
export async function startBenchSite(port = 0): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "nonzero-bench-site-"));
  await build({
    entryPoints: [path("page.ts")],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outfile: join(folder, "page.js"),
    logLevel: "error",
  });
  const dense = readModelFile(ENCODER);
  const layers = weightsOf(dense).flatMap(({ kind, name }) => (kind === "linear" ? [name] : []));
  for (const [n, pattern] of PATTERNS.entries()) {
    if (pattern === "dense") continue;
    const { model } = await applySparse(dense, { pattern, layers });
    await writeModelFile(join(folder, `${n}.onnx`), model);
    await writeModelFile(join(folder, `${n}-explicit.onnx`), model, { sparse: "dense" });
  }
  const samples = readWav(new URL("../../examples/sentence.wav", import.meta.url));
  writeFileSync(join(folder, "input"), new Uint8Array(samples.buffer));
  const site: Site = {
    model: "Moonshine tiny, encoder",
    input: "input_values",
    output: "last_hidden_state",
    sampleRate: 16_000,
    patterns: PATTERNS,
    onWebAssembly: ["dense", "2:4"],
    versions: {
      nonzero: versionOf("../../package.json"),
      "onnxruntime-web": versionOf("../../node_modules/onnxruntime-web/package.json"),
    },
  };
  const server = await serve(
    {
      "/isolated": { file: path("index.html") },
      "/plain": { file: path("index.html") },
      "/site.json": { text: JSON.stringify(site) },
      "/input": { file: join(folder, "input") },
      "/models/0.onnx": { file: ENCODER },
      "/models/0-explicit.onnx": { file: ENCODER },
      "/models/": { file: `${folder}/` },
      "/ort/": { file: path("../../node_modules/onnxruntime-web/dist/") },
      "/page.js": { file: join(folder, "page.js") },
    },
    (at) => (at === "/plain" ? {} : ISOLATED), // a worker's script needs the headers of its page
    port,
  );
  return {
    origin: server.origin,
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
