import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { constants, homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { installNodeGpu } from "../../src/backends/webgpu/gpu.node.js";
import { type Gpu, requestGpu } from "../../src/backends/webgpu/index.js";

/*
 * A GPU for tests. NONZERO_TEST_GPU says which: "swiftshader", without it, which the npm package `@sparticuz/chromium` carries, or
 * "lavapipe", which scripts/lavapipe.sh fetches; lavapipe has 16-bit floats and other subgroups. VK_ICD_FILENAMES, where it is set, names
 * another Vulkan driver, a real one for instance, and then goes before.
 */

const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const ARCHIVE = join(MODULES, "@sparticuz/chromium/bin/swiftshader.tar.br");
const SWIFTSHADER = join(MODULES, ".cache/swiftshader-147.0.0");
const LOADER = "libvulkan.so.1";

/** Where scripts/lavapipe.sh puts the driver. */
const LAVAPIPE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "nonzero/lavapipe-25");

/** `dlopen` keeps the library when its handle is closed. */
const RTLD_NODELETE = 0x1000;

/** Files of a tar archive. */
function* filesIn(tar: Buffer): Generator<{ name: string; bytes: Buffer }> {
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    if (name === "") return;
    const size = Number.parseInt(tar.toString("ascii", at + 124, at + 136), 8);
    yield { name, bytes: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

/** Unpacks SwiftShader once. Several test processes may do it at the same time. */
function unpackSwiftShader(): void {
  const done = (): boolean => existsSync(join(SWIFTSHADER, LOADER));
  if (done()) return;
  const folder = `${SWIFTSHADER}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  for (const { name, bytes } of filesIn(brotliDecompressSync(readFileSync(ARCHIVE)))) {
    if (/vulkan|vk_swiftshader/.test(name)) writeFileSync(join(folder, name), bytes);
  }
  try {
    renameSync(folder, SWIFTSHADER);
  } catch {
    if (!done()) throw new Error(`SwiftShader could not be unpacked to ${SWIFTSHADER}`);
  }
}

/**
 * Loads a library that is not on the path of libraries, which a process can't change once it runs: loaded before by its full name, it is
 * found by its short one. It is no Node addon, so `dlopen` complains, after it has loaded it. Returns any other complaint.
 */
function load(path: string): string | null {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    if (!/did not self-register/.test(String(error))) return String(error);
  }
  return null;
}

/** Loads all libraries of a folder, each after those that it needs. */
function loadAll(folder: string): void {
  let left = readdirSync(folder).filter((name) => name.includes(".so"));
  for (;;) {
    const failed = left.filter((name) => load(join(folder, name)) !== null);
    if (failed.length === 0) return;
    if (failed.length === left.length) throw new Error(load(join(folder, failed[0]!)) ?? "");
    left = failed;
  }
}

/** Makes Dawn find a driver; null, or why it won't. */
function useDriver(name: string): string | null {
  if (process.platform !== "linux" || process.arch !== "x64") return `${name} is for Linux on x64`;
  if (name === "lavapipe") {
    if (!existsSync(LAVAPIPE)) return "lavapipe is not there: scripts/lavapipe.sh fetches it";
    loadAll(LAVAPIPE);
    process.env.VK_ICD_FILENAMES = join(LAVAPIPE, "lvp_icd.json");
    return null;
  }
  if (name !== "swiftshader") return `NONZERO_TEST_GPU is '${name}', not swiftshader or lavapipe`;
  if (!existsSync(ARCHIVE)) return "the npm package @sparticuz/chromium is not installed";
  unpackSwiftShader();
  process.env.VK_ICD_FILENAMES = join(SWIFTSHADER, "vk_swiftshader_icd.json");
  return load(join(SWIFTSHADER, LOADER));
}

async function find(): Promise<Gpu | string> {
  const missing =
    process.env.VK_ICD_FILENAMES === undefined ? useDriver(process.env.NONZERO_TEST_GPU || "swiftshader") : null;
  if (missing !== null) return missing;
  installNodeGpu();
  try {
    return await requestGpu();
  } catch (error) {
    return String(error);
  }
}

let found: Promise<Gpu | string> | null = null;

/** The GPU that all tests of a process share, or why there is none. */
export const testGpu = (): Promise<Gpu | string> => {
  found ??= find();
  return found;
};
