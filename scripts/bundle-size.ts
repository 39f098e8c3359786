import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** What a page loads to run models: bytes after gzip. */
const LIMIT = 200_000;
const ENTRY = `export { InferenceSession, Tensor } from "./src/runtime/index.js";`;

const { outputFiles, metafile } = await build({
  stdin: { contents: ENTRY, resolveDir: fileURLToPath(new URL("..", import.meta.url)), loader: "ts" },
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  metafile: true,
  write: false,
  splitting: true, // what is imported when asked for (the WebGPU device) is loaded when asked for
  outdir: "out",
  logLevel: "error", // an import that a browser cannot load is one
});

type Output = (typeof metafile.outputs)[string];

/** The files that the entry needs before it runs: itself and what it imports statically. */
const first = new Map<string, Output>();
const need = (path: string): void => {
  const output = metafile.outputs[path];
  if (output === undefined || first.has(path)) return;
  first.set(path, output);
  for (const imported of output.imports) if (imported.kind === "import-statement") need(imported.path);
};
for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) if (entryPoint === "<stdin>") need(path);

const sizesOf = (paths: Iterable<string>): { raw: number; gzipped: number } => {
  const wanted = new Set(paths);
  let [raw, gzipped] = [0, 0];
  for (const { path, contents } of outputFiles) {
    if (!wanted.has(relative(process.cwd(), path))) continue;
    raw += contents.byteLength;
    gzipped += gzipSync(contents, { level: 9 }).byteLength;
  }
  return { raw, gzipped };
};
const { raw, gzipped } = sizesOf(first.keys());
const later = sizesOf(Object.keys(metafile.outputs).filter((path) => !first.has(path)));

/** `src/ops/math` for `src/ops/math/add.ts`, `@bufbuild/protobuf` for what a package brings. */
function contributorOf(path: string): string {
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path);
  if (inPackage !== null) return inPackage[1]!;
  const parts = path.split("/");
  return parts.slice(0, Math.min(parts.length - 1, parts[1] === "backends" ? 5 : 3)).join("/");
}

const contributors = new Map<string, number>();
for (const { inputs } of first.values()) {
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const name = contributorOf(path);
    contributors.set(name, (contributors.get(name) ?? 0) + bytesInOutput);
  }
}
const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
const shown = [...contributors].filter(([, bytes]) => bytes > 50);
for (const [name, bytes] of shown.sort((a, b) => b[1] - a[1]))
  console.log(`${kB(bytes)}  ${((100 * bytes) / raw).toFixed(1).padStart(5)} %  ${name}`);
console.log(`\n${kB(raw)} minified, ${kB(gzipped).trim()} gzipped (limit ${kB(LIMIT).trim()})`);

if (later.raw > 0)
  console.log(
    `and ${kB(later.gzipped).trim()} gzipped later, by what a page asks for: WebGPU, tuning, 8-bit products, sparsification both ways`,
  );

const external = Object.values(metafile.outputs)
  .flatMap(({ imports }) => imports)
  .filter((imported) => imported.external)
  .map(({ path }) => path);
if (external.length > 0) console.error(`the bundle imports what no browser has: ${external.join(", ")}`);
if (gzipped > LIMIT) console.error("the bundle is too large");
if (external.length > 0 || gzipped > LIMIT) process.exitCode = 1;
