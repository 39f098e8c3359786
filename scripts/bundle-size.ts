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
  outfile: "nonzero.js",
  logLevel: "error", // an import that a browser cannot load is one
});

const [bundle] = outputFiles;
const [output] = Object.values(metafile.outputs);
const gzipped = gzipSync(bundle!.contents, { level: 9 }).byteLength;

/** `src/ops/math` for `src/ops/math/add.ts`, `@bufbuild/protobuf` for what a package brings. */
function contributorOf(path: string): string {
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path);
  if (inPackage !== null) return inPackage[1]!;
  const parts = path.split("/");
  return parts.slice(0, Math.min(parts.length - 1, parts[1] === "backends" ? 5 : 3)).join("/");
}

const contributors = new Map<string, number>();
for (const [path, { bytesInOutput }] of Object.entries(output!.inputs)) {
  const name = contributorOf(path);
  contributors.set(name, (contributors.get(name) ?? 0) + bytesInOutput);
}
const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
const shown = [...contributors].filter(([, bytes]) => bytes > 50);
for (const [name, bytes] of shown.sort((a, b) => b[1] - a[1]))
  console.log(`${kB(bytes)}  ${((100 * bytes) / bundle!.contents.byteLength).toFixed(1).padStart(5)} %  ${name}`);
console.log(`\n${kB(bundle!.contents.byteLength)} minified, ${kB(gzipped).trim()} gzipped (limit ${kB(LIMIT).trim()})`);

const external = output!.imports.filter((imported) => imported.external).map(({ path }) => path);
if (external.length > 0) console.error(`the bundle imports what no browser has: ${external.join(", ")}`);
if (gzipped > LIMIT) console.error("the bundle is too large");
if (external.length > 0 || gzipped > LIMIT) process.exitCode = 1;
