import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { type BrowserContext, chromium } from "playwright-core";

/*
 * A headless Chromium for tests: CHROMIUM or /usr/bin/chromium where there is one, else the one that the npm package
 * `@sparticuz/chromium` carries (Linux, x64), unpacked once.
 */

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const ARCHIVES = join(MODULES, "@sparticuz/chromium/bin");
const CACHE = join(MODULES, ".cache");
const FOLDER = join(CACHE, "chromium-147.0.0");

/** Without the network that a closed machine refuses. */
const QUIET = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

interface Executable {
  readonly path: string;
  readonly libraries: string | null;
}

/** Unpacks the package's Chromium, its libraries and SwiftShader. Several test processes may do it at the same time. */
function unpack(): void {
  if (existsSync(FOLDER)) return;
  const folder = `${FOLDER}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const inflate = (archive: string): Buffer => brotliDecompressSync(readFileSync(join(ARCHIVES, archive)));
  for (const archive of ["al2023.tar.br", "swiftshader.tar.br"]) {
    const { status, stderr } = spawnSync("tar", ["-x", "-C", folder], { input: inflate(archive) });
    if (status !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr}`);
  }
  writeFileSync(join(folder, "chromium"), inflate("chromium.br"));
  chmodSync(join(folder, "chromium"), 0o755);
  try {
    renameSync(folder, FOLDER);
  } catch {
    rmSync(folder, { recursive: true });
    if (!existsSync(FOLDER)) throw new Error(`Chromium could not be unpacked to ${FOLDER}`);
  }
}

function find(): Executable | string {
  for (const path of [process.env.CHROMIUM, "/usr/bin/chromium"])
    if (path && existsSync(path)) return { path, libraries: null };
  if (process.platform !== "linux" || process.arch !== "x64") return "@sparticuz/chromium is for Linux on x64";
  if (!existsSync(join(ARCHIVES, "chromium.br"))) return "the npm package @sparticuz/chromium is not installed";
  unpack();
  return { path: join(FOLDER, "chromium"), libraries: join(FOLDER, "lib") };
}

export interface Browser {
  readonly context: BrowserContext;
  /** `Chromium 147.0.7727.0`. */
  readonly version: string;
  close(): Promise<void>;
}

/** Starts Chromium with a fresh profile, or says why it can't. `gpu`: with WebGPU, on SwiftShader. */
export async function startChromium({ gpu = false } = {}): Promise<Browser | string> {
  const found = find();
  if (typeof found === "string") return found;
  const profile = mkdtempSync(join(tmpdir(), "nonzero-chromium-"));
  const env = { ...process.env } as Record<string, string>;
  if (found.libraries !== null) {
    env.LD_LIBRARY_PATH = [found.libraries, env.LD_LIBRARY_PATH].filter((path) => path).join(":");
  }
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: found.path,
      headless: true,
      args: [...QUIET, ...(gpu ? WEBGPU : [])],
      env,
      timeout: 30_000,
    });
    const close = async (): Promise<void> => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    };
    return { context, version: `Chromium ${context.browser()?.version() ?? ""}`.trim(), close };
  } catch (error) {
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    return `${basename(found.path)} does not start: ${String(error).split("\n")[0]}`;
  }
}
