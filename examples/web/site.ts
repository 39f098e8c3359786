import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ISOLATED, type Server, serve } from "./server.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const ENTRIES = ["main.ts", "worker.ts"];
const MODEL = "../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/encoder_model.onnx";

/** Builds the page and serves it on this machine, cross-origin isolated. `port` 0 picks a free one. */
export async function startWebExample(port = 0): Promise<Server> {
  const { outputFiles } = await build({
    entryPoints: ENTRIES.map(path),
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    outdir: "/",
    entryNames: "[name]",
    logLevel: "error",
  });
  return serve(
    {
      "/": { file: path("index.html") },
      "/style.css": { file: path("style.css") },
      "/sentence.wav": { file: path("../sentence.wav") },
      "/moonshine.onnx": { file: path(MODEL) },
      ...Object.fromEntries(outputFiles.map((file) => [file.path, { text: file.text }])),
    },
    () => ISOLATED,
    port,
  );
}
