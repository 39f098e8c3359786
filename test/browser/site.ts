import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ISOLATED, type Server, serve } from "../../examples/web/server.js";
import { readWav } from "../../src/cli/wav.js";
import { readModelFile, writeModelFile } from "../../src/formats/onnx/node.js";
import { applySparse, weightsOf } from "../../src/prune/index.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export const ENCODER = path("../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/encoder_model.onnx");
const SAMPLE_RATE = 16_000;

/** Pages by name, and the headers that make them what they are. */
const EVAL_WASM = "script-src 'self' 'wasm-unsafe-eval'";
const PAGES = {
  isolated: ISOLATED,
  plain: {},
  "blob-workers": { ...ISOLATED, "Content-Security-Policy": `default-src 'self'; ${EVAL_WASM}; worker-src blob:` },
  "no-blob-workers": { ...ISOLATED, "Content-Security-Policy": `default-src 'self'; ${EVAL_WASM}; worker-src 'self'` },
} as const;
export type PageName = keyof typeof PAGES;

/**
 * A site with one page per kind of headers, all with the same module; Moonshine tiny's encoder as `/dense.onnx`, 2:4 as `/sparse.onnx`, and
 * the same pruned weights with explicit zeros as `/explicit.onnx`; a spoken sentence as `/sentence`, its first second as `/audio` and
 * a quarter of that as `/word`; onnxruntime-web under `/ort/`.
 */
export async function startSite(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "nonzero-site-"));
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
  const { model } = await applySparse(dense, { pattern: "2:4", layers });
  await writeModelFile(join(folder, "sparse.onnx"), model);
  await writeModelFile(join(folder, "explicit.onnx"), model, { sparse: "dense" });
  const samples = readWav(new URL("../../examples/sentence.wav", import.meta.url));
  writeFileSync(join(folder, "sentence"), new Uint8Array(samples.buffer));
  writeFileSync(join(folder, "audio"), new Uint8Array(samples.slice(0, SAMPLE_RATE).buffer));
  writeFileSync(join(folder, "word"), new Uint8Array(samples.slice(0, SAMPLE_RATE / 4).buffer));
  const html = `<!doctype html><title>Nonzero</title><script type="module" src="/page.js"></script>`;
  const server = await serve(
    {
      ...Object.fromEntries(Object.keys(PAGES).map((page) => [`/${page}`, { text: html }])),
      "/dense.onnx": { file: ENCODER },
      "/ort/": { file: path("../../node_modules/onnxruntime-web/dist/") },
      "/": { file: `${folder}/` },
    },
    (at) => PAGES[at.slice(1) as PageName] ?? ISOLATED, // a worker's script needs the headers of its page
  );
  return {
    origin: server.origin,
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
